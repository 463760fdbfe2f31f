"""Numbers that stay as they were made: on the device of a model, in float64 whatever its dtype.

A kernel is a set of such tables.  They cannot be changed, neither in place nor by loading; in the
dtype of states, or as numbers, a table is cast once.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from dpm_lib import doors

__all__ = ["Tables"]


class Tables(nn.Module):
    """A module of tables, which are its state.

    Attributes:
        dtype: of states where none is given, float32 or float64; :meth:`to` sets it, and leaves the
            tables in float64.
    """

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__()
        self.dtype = dtype
        self._device = device
        self._made: dict[str, tuple[Tensor, int, Tensor]] = {}
        self._cast: dict[Any, Any] = {}

    def table(self, name: str, values: Tensor, saved: bool = False) -> None:
        """Keep numbers that stay as they are: moved with the kernel, saved if others follow."""
        self.register_buffer(name, _wide(values).clone(), persistent=saved)
        self._watch(name)

    def _watch(self, name: str) -> None:
        table = self.get_buffer(name)
        self._made[name] = table, _version(table), table.detach().clone()

    def check_tables(self, values: bool = False) -> None:
        """Refuse a kernel whose tables were changed after it was made.

        Torch counts the changes of a tensor; it does not those through ``.data`` or numpy, so where
        data enter and where a kernel is saved the values are compared.

        Raises:
            ValueError: they were changed.
        """
        for name, (table, seen, copy) in self._made.items():
            now = cast(Tensor, self._buffers[name])
            if values or now is not table or _version(now) != seen:
                if not torch.equal(now.to(copy), copy):
                    raise ValueError(
                        f"{name} must stay as it was when the kernel was made, it was changed: "
                        "make a new kernel, and a new network, for other rates"
                    )
                self._made[name] = now, _version(now), copy

    def numbers_of(self, name: str, t: int) -> list[Any]:
        """Column t of a table, as numbers."""
        if name not in self._cast:
            self._cast[name] = self.get_buffer(name).T.tolist()
        return self._cast[name][t]

    def narrowed(self, name: str, dtype: torch.dtype) -> Tensor:
        """A table in the dtype of states, cast once."""
        if (name, dtype) not in self._cast:
            with torch.inference_mode(False), torch.enable_grad():  # for who asks next
                self._cast[name, dtype] = self.get_buffer(name).to(dtype)
        return self._cast[name, dtype]

    def rows_of(self, name: str, t: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        """Rows of a table at the steps t, each shaped to multiply the states x.

        Where t is expanded from one step, so are they: one number multiplies all.
        """
        t = t[:1] if t.stride(0) == 0 else t
        rows = self.narrowed(name, x.dtype).index_select(1, t)
        return rows.view(-1, len(t), *[1] * (x.ndim - 1)).unbind()

    def _apply(self, move: Callable[[Tensor], Tensor], recurse: bool = True) -> "Tables":
        """Follow ``to`` and its like to another device; of the dtype, only that of new states."""
        like = move(torch.empty(0, dtype=self.dtype, device=self._device))
        self.dtype = like.dtype if like.dtype in doors.STATE_DTYPES else torch.float32
        self.check_tables()
        super()._apply(lambda table: _wide(table.to(like.device)), recurse)
        for name in self._made:
            self._watch(name)
        self._cast.clear()
        self._device = like.device
        return self

    def __getstate__(self) -> dict[str, Any]:
        self.check_tables(values=True)
        return self.__dict__

    def _save_to_state_dict(self, *where: Any) -> None:
        self.check_tables(values=True)
        super()._save_to_state_dict(*where)

    def _load_from_state_dict(self, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        """Refuse a state of other rates, and have nothing to load from one of the same."""
        for name, mine in self.state_dict().items():
            theirs = state.get(prefix + name)
            if theirs is None or not torch.equal(theirs.to(mine), mine):
                came = "nothing" if theirs is None else f"{len(theirs.flatten())} others"
                raise ValueError(
                    f"state_dict must hold the rates of this kernel as {prefix + name}, got {came}:"
                    " make the kernel with the rates that the network was trained with"
                )


def _version(x: Tensor) -> int:
    """How often a tensor was changed in place; of an inference tensor nobody counts."""
    return 0 if x.is_inference() else x._version


def _wide(x: Tensor) -> Tensor:
    """In float64, or in float32 where the device has nothing better."""
    return x.to(torch.float32 if x.device.type == "mps" else torch.float64)
