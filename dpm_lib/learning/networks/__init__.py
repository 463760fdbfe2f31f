r""":math:`f_\mu, f_\Sigma, f_b`, the networks that give the law of one reverse step."""

from collections.abc import Callable

from torch import nn

from dpm_lib.learning.networks.mlp import MLPNetwork, temporal_bumps
from dpm_lib.learning.networks.rbf import RBFNetwork
from dpm_lib.learning.networks.stepwise import StepwiseNetwork

__all__ = ["NETWORKS", "MLPNetwork", "RBFNetwork", "StepwiseNetwork", "temporal_bumps"]

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    kind.__name__: kind for kind in (MLPNetwork, RBFNetwork, StepwiseNetwork)
}
"""Networks of the library by name: each can be made again from its ``arguments``."""
