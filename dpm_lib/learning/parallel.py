r""":math:`\nabla K = \frac1W \sum_{w} \nabla K_w`, one training by the W processes of torchrun.

All processes have the same model, and draw the same batches, steps and noise from generators of one
state; each asks its network about every W-th row alone.  The average of their gradients is that of
the joined batch but for the order of summation, so that they stay the same, and a checkpoint of one
is a checkpoint of all.  Layers that look at a batch as a whole, such as BatchNorm, see the rows of
their own process.

The processes meet in torch's default group; without one, nothing here does anything.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from dpm_lib import doors

__all__ = ["average", "either", "joined", "mine", "rank", "same", "world"]


def world() -> int:
    """Number of processes, W."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Number of this process, 0 … W - 1; the one of number 0 writes."""
    return dist.get_rank() if world() > 1 else 0


def mine(rows: Tensor) -> Tensor:
    """Every W-th row, beginning with that of the number of this process."""
    return rows[rank() :: world()].contiguous() if world() > 1 else rows


def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors by their means over all processes.

    Raises:
        ConnectionError: another process has ended or cannot be reached.
    """
    if world() == 1:
        return
    flat = torch.cat([x.flatten() for x in tensors])
    try:
        dist.all_reduce(flat)
    except RuntimeError as error:
        raise ConnectionError(
            "another process of this training has ended or cannot be reached"
        ) from error
    means = flat.div_(world()).split([x.numel() for x in tensors])
    torch._foreach_copy_(
        list(tensors), [mean.view_as(x) for mean, x in zip(means, tensors, strict=True)]
    )


def either(flag: bool) -> bool:
    """Whether a flag is set in any process; each waits here for the others.

    Raises:
        ConnectionError: another process has ended or cannot be reached.
    """
    if world() == 1:
        return flag
    found = torch.tensor(float(flag))
    average([found])
    return found.item() > 0


def same(*tensors: Tensor) -> bool:
    """Whether tensors are the same in all processes, to the last bit.

    Raises:
        ConnectionError: another process has ended or cannot be reached.
    """
    if world() == 1:
        return True
    digest = hashlib.sha256()
    for x in tensors:
        digest.update(x.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    own = torch.tensor(int(digest.hexdigest()[:10], 16), dtype=torch.float64)
    mean = own.clone()
    average([mean])
    return not either(not torch.equal(mean, own))


@contextmanager
def joined(device: str) -> Iterator[str]:
    """Join the processes that torchrun has started; alone, do nothing.

    The first process to fail has the say: the error of another, which often is only that the first
    has gone, becomes a silent exit.

    Args:
        device: where to train.

    Yields:
        where this process trains: of GPUs, the one of its number on this machine.

    Raises:
        ValueError: this machine has fewer GPUs than processes.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    store, number, count = next(dist.rendezvous("env://"))
    try:
        dist.init_process_group(store=store, rank=number, world_size=count)
        if device.startswith("cuda"):
            device = str(doors.device_like(f"cuda:{os.environ['LOCAL_RANK']}"))
            torch.cuda.set_device(device)
        yield device
        dist.destroy_process_group()
    except BaseException:
        if store.add("failed", 1) > 1:
            raise SystemExit(1) from None
        raise
