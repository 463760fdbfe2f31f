"""Small networks that have learned the laws of :mod:`dpm_lib.explore.shapes`, as files beside this.

:mod:`dpm_lib.explore.teach` has trained them.  Their parameters are multiples of 1/1024, so that a
page can hold them as short whole numbers.
"""

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from dpm_lib.reverse import ReverseProcess

if TYPE_CHECKING:
    from dpm_lib.learning.checkpoints import Checkpoint

__all__ = ["UNIT", "file", "numbers", "taught"]

UNIT = 1024


def file(name: str) -> Path:
    """Where the model of a law stands."""
    return Path(__file__).with_name(f"chains-{name}.safetensors")


def taught(name: str) -> "Checkpoint":
    """The model of a law, float64, with its record as notes."""
    from dpm_lib.learning.checkpoints import read  # other figures, and pages with them, need it not

    return read(file(name))


def numbers(model: ReverseProcess) -> dict[str, str]:
    """Parameters of the network in units of 1/1024, each table row after row.

    Base64 of integers of 16 bits, the low byte first.
    """
    assert isinstance(model.network, nn.Module)
    whole = {name: (p * UNIT).round() for name, p in model.network.named_parameters()}
    assert all(table.abs().max() < 2**15 for table in whole.values())
    return {name: b64encode(t.detach().numpy().astype("<i2").tobytes()).decode()
            for name, t in whole.items()}  # fmt: skip
