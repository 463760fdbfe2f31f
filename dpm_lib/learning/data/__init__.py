r""":math:`x^{(0)} \sim q(x^{(0)})`, data sets scaled to second moment 1 by one constant."""

from dpm_lib.learning.data.images import Digits, digits
from dpm_lib.learning.data.scaling import Scaler
from dpm_lib.learning.data.synthetic import heartbeat, swiss_roll

__all__ = ["Digits", "Scaler", "digits", "heartbeat", "swiss_roll"]
