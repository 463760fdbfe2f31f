r""":math:`x^{(0)} \sim q(x^{(0)})`, data sets scaled to second moment 1 by one constant."""

from dpm_lib.learning.data.fetched import cifar10_levels, mnist_levels
from dpm_lib.learning.data.images import Images, cifar10, digits, mnist, textbook_digits
from dpm_lib.learning.data.scaling import Scaler
from dpm_lib.learning.data.synthetic import heartbeat, swiss_roll

__all__ = [
    "Images", "Scaler", "cifar10", "cifar10_levels", "digits", "heartbeat", "mnist", "mnist_levels",
    "swiss_roll", "textbook_digits",
]  # fmt: skip
