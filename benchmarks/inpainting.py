"""Held-out digits whose left half is missing: how far fills are from the truth, by rule.

``python benchmarks/inpainting.py FOLDER [SEEDS]``: trains the recipe ``digits-noise`` in the
folder, for seeds 0, 1, …, fills the left half of all held-out digits and writes
``results/experiments/inpainting.json``, with one fill of each kind of the first digits of seed 0 in
``inpainting-samples.npy``.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import torch

import dpm_lib as dpm
from dpm_lib import plots
from dpm_lib.evidence.storage import RESULTS, replace_file
from dpm_lib.learning import recipes, runs

STEPS, FILLS, PARTICLES, WEIGHTED, SHOWN = 4000, 32, 64, 60, 12
FOLDER = RESULTS / "experiments"


def scored(fills, truth, missing):
    """Errors of fills (n, images, 64) at the missing pixels, in units of the data's root square."""
    fills, truth = fills[..., missing], truth[:, missing]
    square = (fills.mean(0) - truth).square().mean(1)
    error = square.mean().sqrt()
    return {
        "error_of_mean": error.item(),
        "n": len(truth),
        "standard_error": (square.std() / len(square) ** 0.5 / (2 * error)).item(),
        "error_of_one": (fills[0] - truth).square().mean().sqrt().item(),
        "spread": fills.var(0).mean().sqrt().item() if len(fills) > 1 else 0.0,
    }


def conditional(levels, images, mask, g):
    """Fills of the Gaussian with the means and the full covariance of the training digits."""
    mean, covariance = levels.mean(0), torch.cov(levels.T)
    seen, gone = mask.nonzero()[:, 0], (~mask).nonzero()[:, 0]
    gain = torch.linalg.solve(covariance[seen][:, seen], covariance[seen][:, gone]).T
    left = covariance[gone][:, gone] - gain @ covariance[seen][:, gone]
    centre = mean[gone] + (images[:, seen] - mean[seen]) @ gain.T
    noise = torch.randn(FILLS, *centre.shape, generator=g, dtype=centre.dtype)
    fills = images.repeat(FILLS, 1, 1)
    fills[..., gone] = centre + noise @ torch.linalg.cholesky(left).T
    return fills


def by_weights(model, image, mask, g):
    """Fills of one image, drawn by their weights."""
    known = dpm.Known(image, mask)
    found = dpm.particles(model, known, PARTICLES, generator=g)
    chosen = torch.multinomial(found.weights, FILLS, replacement=True, generator=g)
    return found.samples[chosen], found.effective_sample_size.item()


def measured(seed, folder):
    begin = time.perf_counter()
    made = recipes.make("digits-noise", seed=seed, steps=STEPS)
    model = runs.train(made, folder / str(seed), resume=True, report=lambda step, K: None)
    truth, train, g = made.data.held_out, made.data.seen.double(), made.fresh()
    mask = torch.arange(64) % 8 >= 4  # the right half is known
    missing = ~mask
    known = dpm.Known(truth.repeat(FILLS, 1), mask.expand(FILLS * len(truth), 64))

    def drawn(rule):
        fills = dpm.sample_given(model, known, len(known.values), generator=g, rule=rule)
        return fills.view(FILLS, len(truth), 64)

    gaussian = conditional(train, truth.double(), mask, g).float()
    fills = {
        "mean of the training digits": train.mean(0).float().expand(1, *truth.shape),
        "Gaussian with full covariance": gaussian,
        "clamped": drawn(dpm.paper_rule),
        "predicted": drawn(dpm.predicted_rule),
    }
    rows = {name: scored(each, truth, missing) for name, each in fills.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how few samples have weight is recorded
        pairs = [by_weights(model, image, mask, g) for image in truth[:WEIGHTED]]
    weighted = torch.stack([samples for samples, _ in pairs], 1)
    rows["predicted, weighted"] = scored(weighted, truth[:WEIGHTED], missing)
    rows["predicted, of the same"] = scored(
        fills["predicted"][:, :WEIGHTED], truth[:WEIGHTED], missing
    )
    if seed == 0:
        first = [each[0, :SHOWN] for each in (truth[None], *fills.values(), weighted)]
        plots.write_samples(FOLDER / "inpainting-samples.npy", torch.stack(first))
    sizes = torch.tensor([size for _, size in pairs])
    for name, row in rows.items():
        common = {"fill": name, "recipe": "digits-noise", "steps": STEPS, "seed": seed}
        size = {"effective_sample_size": sizes.median().item()} if "weighted" in name else {}
        yield common | row | size | {
            "fills": FILLS, "particles": PARTICLES, "T": model.kernel.T,
            "unit": "second moment of the data 1", "device": "cpu", "dtype": "float32",
            "torch": torch.__version__, "library": dpm.library_version(),
            "seconds": round(time.perf_counter() - begin, 1),
        }  # fmt: skip


def main():
    folder, seeds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    rows = []
    for seed in range(seeds):
        for row in measured(seed, folder):
            rows.append(row)
            print(json.dumps(row), flush=True)
    replace_file(FOLDER / "inpainting.json", json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
