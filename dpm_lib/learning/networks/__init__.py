r""":math:`f_\mu, f_\Sigma, f_b`, the networks that give the law of one reverse step."""

from collections.abc import Callable

from torch import nn

from dpm_lib.learning.networks.base import temporal_bumps
from dpm_lib.learning.networks.mlp import MLPNetwork
from dpm_lib.learning.networks.multiscale import MultiScaleNetwork
from dpm_lib.learning.networks.rbf import RBFNetwork
from dpm_lib.learning.networks.stepwise import StepwiseNetwork
from dpm_lib.learning.networks.unet import UNetNetwork

__all__ = [
    "NETWORKS", "MLPNetwork", "MultiScaleNetwork", "RBFNetwork", "StepwiseNetwork", "UNetNetwork",
    "temporal_bumps",
]  # fmt: skip

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    kind.__name__: kind
    for kind in (MLPNetwork, MultiScaleNetwork, RBFNetwork, StepwiseNetwork, UNetNetwork)
}
"""Networks of the library by name: each can be made again from its ``arguments``."""
