r""":math:`f_\mu, f_\Sigma, f_b`, the networks that give the law of one reverse step."""

from dpm_lib.learning.networks.mlp import MLPNetwork, temporal_bumps
from dpm_lib.learning.networks.rbf import RBFNetwork

__all__ = ["MLPNetwork", "RBFNetwork", "temporal_bumps"]
