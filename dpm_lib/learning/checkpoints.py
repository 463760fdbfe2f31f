"""A model in a file: its weights and rates, what it was made of, and a hash over all of it.

The file is in the safetensors format, so nothing in it is run when it is read.  Its header names
the classes of kernel and network and their arguments; the tensors are parameters and saved buffers
of the model, and whatever else was put beside them (:mod:`dpm_lib.learning.runs` puts the state of
a training there).
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from dpm_lib import doors
from dpm_lib.evidence.provenance import library_version
from dpm_lib.evidence.storage import replace_file
from dpm_lib.kernels import BinomialKernel, GaussianKernel, Kernel
from dpm_lib.learning.data.scaling import Scaler
from dpm_lib.learning.networks import NETWORKS
from dpm_lib.reverse import ReverseProcess

__all__ = ["Checkpoint", "load", "read", "save"]

FORMAT = "dpm_lib 1"
KERNELS: dict[str, type[Kernel]] = {
    kind.__name__: kind for kind in (GaussianKernel, BinomialKernel)
}
BESIDE = "beside."
"""What the names of tensors that are not the model's begin with."""


class Checkpoint(NamedTuple):
    """A model as it came from a file.

    Attributes:
        model: the reverse process.
        notes: what was noted with it.
        beside: tensors that were saved with it.
    """

    model: ReverseProcess
    notes: dict[str, Any]
    beside: dict[str, Tensor]


def save(
    model: ReverseProcess,
    path: str | os.PathLike[str],
    *,
    notes: Mapping[str, Any] | None = None,
    beside: Mapping[str, Tensor] | None = None,
) -> Path:
    """Write a model to a file, all or nothing.

    Args:
        model: the reverse process; its network is an ``nn.Module``.
        path: of the file, usually ``….safetensors``; a file that is there is replaced.
        notes: anything ready for JSON, kept in the header.
        beside: other tensors to keep.

    Raises:
        TypeError: no model, its network is no ``nn.Module``, its scaler no :class:`dpm_lib.Scaler`,
            or beside holds what is no tensor.
        ValueError: its kernel is none of the library, or the notes are not ready for JSON.
        OSError: the file cannot be written; one that was there is as it was.
    """
    doors.instance("model", model, ReverseProcess)
    doors.one_of("kernel", type(model.kernel).__name__, KERNELS)
    if not isinstance(model.network, nn.Module):
        raise TypeError(
            "network must be a torch.nn.Module to be saved, got "
            f"{doors.name_of(model.network)}: a closed form is made again from its law"
        )
    if model.scaler is not None and not isinstance(model.scaler, Scaler):
        raise TypeError(
            f"scaler must be a dpm.Scaler to be saved, got {doors.name_of(model.scaler)}"
        )
    for name, value in (beside or {}).items():
        if not isinstance(value, Tensor):
            raise TypeError(f"beside must hold tensors by name, got {doors.name_of(value)}: {name}")
    try:
        json.dumps(dict(notes or {}), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"notes must be ready for JSON, got {notes!r}: {error}") from None
    kept = _saved(model) | {BESIDE + name: value for name, value in (beside or {}).items()}
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in kept.items()}
    header = {
        "kernel": type(model.kernel).__name__,
        "dtype": str(model.kernel.dtype).removeprefix("torch."),
        "network": type(model.network).__name__,
        "arguments": getattr(model.network, "arguments", None),
        "event_shape": list(model.event_shape),
        "scaled": isinstance(model.scaler, Scaler),
        "notes": dict(notes or {}),
        "library": library_version(),
    }
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    marks = {"format": FORMAT, "model": text, "sha256": _hash(tensors, text)}
    path = Path(path)
    replace_file(path, to_bytes(tensors, marks))
    return path


def load(
    path: str | os.PathLike[str],
    *,
    network: Callable[[Kernel, tuple[int, ...]], nn.Module] | None = None,
    device: torch.device | str | None = None,
) -> ReverseProcess:
    """Read a model that :func:`save` has written.

    Args:
        path: of the file.
        network: makes the network, from the kernel and the shape of one example, where its class is
            not one of the library.
        device: where the model shall be; by default on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: network cannot be called with these two, or makes no ``nn.Module``.
        ValueError: the file is cut off, altered or foreign, or its network must be given.
    """
    return read(path, network=network, device=device).model


def read(
    path: str | os.PathLike[str],
    *,
    network: Callable[[Kernel, tuple[int, ...]], nn.Module] | None = None,
    device: torch.device | str | None = None,
) -> Checkpoint:
    """Read a model and what was saved with it; arguments and errors are those of :func:`load`."""
    where, path = doors.device_like(device), Path(path)
    if network is not None:
        doors.called("network", network, "kernel", "event_shape")
    tensors, header = _contents(path)
    try:
        notes = header["notes"]
        kernel, event = _kernel(tensors, header, where), tuple(header["event_shape"])
        ours = None if network else _network(kernel, event, header, path)
        scaler = _scaler(tensors["scaler.scale"]).to(where) if header["scaled"] else None
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path.name} must describe a model of this library, {library_version()}, its header "
            f"does not: {type(error).__name__}: {error}"
        ) from error
    made = network(kernel, event) if network else ours
    if not isinstance(made, nn.Module):
        raise TypeError(f"network must make a torch.nn.Module, got {doors.name_of(made)}")
    model = ReverseProcess(kernel, made.to(where), event, scaler)
    _fill(model, {name: t for name, t in tensors.items() if not name.startswith(BESIDE)}, path)
    beside = {n.removeprefix(BESIDE): t for n, t in tensors.items() if n.startswith(BESIDE)}
    return Checkpoint(model, notes, beside)


def _kernel(tensors: dict[str, Tensor], header: dict[str, Any], where: torch.device) -> Kernel:
    """The kernel that a header names, of the rates in the file."""
    kind = doors.one_of("kernel", header["kernel"], KERNELS)
    rates = {name.removeprefix("kernel."): tensors[name] for name in tensors if _is_rate(name)}
    kernel = kind(rates.pop("beta"), **{name: value.item() for name, value in rates.items()})
    return kernel.to(where, getattr(torch, header["dtype"]))


def _scaler(scale: Tensor) -> Scaler:
    """A scaler of these scales, with shifts that are still to be filled in."""
    return Scaler(torch.stack([-scale, scale]), per_coordinate=scale.ndim > 0)


def _network(
    kernel: Kernel, event: tuple[int, ...], header: dict[str, Any], path: Path
) -> nn.Module:
    """The network that a header names, with weights that are still to be filled in."""
    if header["network"] not in NETWORKS:
        raise ValueError(
            f"network must be given to load {path.name}, a function (kernel, event_shape) that "
            f"makes a {header['network']}: it is none of {sorted(NETWORKS)}"
        )
    fresh = torch.Generator(kernel.beta.device).manual_seed(0)
    return NETWORKS[header["network"]](kernel, event, **header["arguments"], generator=fresh)


def _contents(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a file that is whole and ours."""
    if not path.is_file():
        raise FileNotFoundError(f"path must name a file, there is no {path}")
    content = path.read_bytes()  # at once: another program may replace the file
    try:
        tensors = from_bytes(content)
        kept = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path.name} must be a whole safetensors file, it cannot be read: {error}"
        ) from None
    if kept.get("format") != FORMAT:
        raise ValueError(
            f"{path.name} must be written by dpm.save ({FORMAT!r}), its format is "
            f"{kept.get('format')!r}"
        )
    if kept.get("sha256") != _hash(tensors, kept.get("model", "")):
        raise ValueError(
            f"{path.name} must be as it was written, its content does not have its hash: it was "
            "altered, or damaged on the way"
        )
    return tensors, json.loads(kept["model"])


def _hash(tensors: Mapping[str, Tensor], header: str) -> str:
    """Of names, shapes, dtypes and bytes of all tensors, and the header."""
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _saved(model: ReverseProcess) -> dict[str, Tensor]:
    """Parameters and saved buffers, each once."""
    kept = set(model.state_dict())
    return {
        name: value
        for name, value in (*model.named_parameters(), *model.named_buffers())
        if name in kept
    }


def _is_rate(name: str) -> bool:
    return name.startswith("kernel.")


@torch.no_grad()
def _fill(model: ReverseProcess, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Give the model the values of a file, all of them and no others."""
    mine = _saved(model)
    shapes = {name: tuple(value.shape) for name, value in mine.items()}
    theirs = {name: tuple(value.shape) for name, value in tensors.items()}
    if shapes != theirs:
        odd = sorted(name for name in {*shapes, *theirs} if shapes.get(name) != theirs.get(name))
        raise ValueError(
            f"network must have the tensors of {path.name}, they differ in {odd[:5]}: "
            f"{[shapes.get(name) for name in odd[:5]]} here, "
            f"{[theirs.get(name) for name in odd[:5]]} there"
        )
    for name, value in mine.items():
        if not _is_rate(name):
            value.data = tensors[name].to(value.device)
