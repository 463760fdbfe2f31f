"""How a model is trained: the numbers and words of a :class:`dpm_lib.Trainer`."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from dpm_lib import doors
from dpm_lib.learning.objectives import OBJECTIVES

__all__ = ["DECAYS", "Settings"]

DECAYS = {
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
    "constant": lambda done: 1.0,
}
"""Learning rate over its first value, by the part of the training that is done."""


@dataclass(frozen=True)
class Settings:
    """How a model is trained.

    Attributes:
        steps: number of updates.
        batch: examples in a batch, of all processes together.
        learning_rate: of the first update.
        decay: "cosine", to 0, or "constant".
        clip: largest norm of the gradient of K per dimension.
        average: decay of the moving average of the parameters that the model has in the end, such
            as 0.999; None for the last parameters.
        objective: key of :data:`dpm_lib.learning.objectives.OBJECTIVES`.
        autocast: whether the network computes in bfloat16.
        learn_rates: whether the rates of the kernel, but for the first, are learned as well.

    Raises:
        TypeError: a setting of the wrong type.
        ValueError: a setting out of its range.
    """

    steps: int
    batch: int = 256
    learning_rate: float = 1e-3
    decay: str = "cosine"
    clip: float = 10.0
    average: float | None = None
    objective: str = "bound"
    autocast: bool = False
    learn_rates: bool = False

    def __post_init__(self) -> None:
        doors.integer("steps", self.steps)
        doors.integer("batch", self.batch)
        doors.number("learning_rate", self.learning_rate, above=0)
        doors.number("clip", self.clip, above=0)
        doors.one_of("decay", self.decay, DECAYS)
        doors.one_of("objective", self.objective, OBJECTIVES)
        if self.average is not None and doors.number("average", self.average, above=0) >= 1:
            raise ValueError(f"average must lie in (0, 1), got {self.average}")
        for name in ("autocast", "learn_rates"):
            if not isinstance(value := getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, got {doors.name_of(value)}")
        if self.learn_rates and self.objective == "noise":
            raise ValueError(
                "objective must lower the bound itself to learn rates, got 'noise', whose weights "
                "change with them"
            )

    def as_dict(self) -> dict[str, Any]:
        """All settings by name, ready for JSON."""
        return asdict(self)
