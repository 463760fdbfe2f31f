"""``python -m dpm_lib.explore.teach``: train the networks of the figure of the two chains.

Each goes into a file beside this one, and K of all, as it is with the rounded parameters that the
page shows, beside the optimum into ``results/experiments/chains.json``.
"""

import time
from typing import Any

import torch

from dpm_lib.explore.shapes import forty_steps, known_laws
from dpm_lib.explore.trained import UNIT, file
from dpm_lib.learning.checkpoints import save
from dpm_lib.learning.evaluation import evaluate, record
from dpm_lib.learning.networks import MLPNetwork
from dpm_lib.learning.training import Settings, fit
from dpm_lib.likelihood import bits
from dpm_lib.reverse import ReverseProcess

__all__ = ["train"]

HIDDEN, LAYERS, HELD_OUT = 40, 2, 20_000
SETTINGS = Settings(30_000, learning_rate=1e-2, average=0.999, objective="stratified")


def train(name: str, seed: int = 0) -> dict[str, Any]:
    """Train on fresh draws of a law, write the model to its file, and return its record."""
    begin, law, kernel = time.perf_counter(), known_laws()[name], forty_steps()
    g = torch.Generator().manual_seed(seed)
    network = MLPNetwork(kernel, law.event_shape, HIDDEN, LAYERS, generator=g)
    model = ReverseProcess(kernel, network)
    fit(model, law.sample, generator=g, **SETTINGS.as_dict())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_((parameter * UNIT).round() / UNIT)
    found = evaluate(model, law.sample(HELD_OUT, g), generator=g)
    best = law.optimum(kernel)
    lost = torch.stack([law.step_loss(kernel, t) for t in range(2, kernel.T + 1)]).sum()
    notes = {
        "recipe": f"chains-{name}", **found, "optimum": bits(best).item(),
        "best_gaussian_steps": bits(best - lost).item(),
        "settings": {"network": "MLPNetwork", **network.arguments, **SETTINGS.as_dict()},
        "seconds": round(time.perf_counter() - begin, 1),
    }  # fmt: skip
    save(model, file(name), notes=notes)
    return notes


if __name__ == "__main__":
    record("chains", [train(name) for name in known_laws()])
