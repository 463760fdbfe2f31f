"""All rules of the book under one name."""

from dpm_lib.symbolic.rules import (
    bernoulli,
    diffusion,
    dimensions,
    gaussians,
    integrals,
    probability,
    sums,
    tilting,
)
from dpm_lib.symbolic.rules.bernoulli import *  # noqa: F403
from dpm_lib.symbolic.rules.diffusion import *  # noqa: F403
from dpm_lib.symbolic.rules.dimensions import *  # noqa: F403
from dpm_lib.symbolic.rules.gaussians import *  # noqa: F403
from dpm_lib.symbolic.rules.integrals import *  # noqa: F403
from dpm_lib.symbolic.rules.probability import *  # noqa: F403
from dpm_lib.symbolic.rules.sums import *  # noqa: F403
from dpm_lib.symbolic.rules.tilting import *  # noqa: F403

__all__ = [
    *probability.__all__, *integrals.__all__, *sums.__all__, *diffusion.__all__,
    *gaussians.__all__, *bernoulli.__all__, *dimensions.__all__, *tilting.__all__,
]  # fmt: skip
