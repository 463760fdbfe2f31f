r""":math:`q(x^{(0)})`, data laws for which all is known, to measure models with."""

from dpm_lib.exact.gaussian import GaussianLaw
from dpm_lib.exact.law import Law
from dpm_lib.exact.mixture import MixtureLaw
from dpm_lib.exact.patterns import PatternLaw

__all__ = ["GaussianLaw", "Law", "MixtureLaw", "PatternLaw"]
