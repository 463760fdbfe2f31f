"""The Parzen estimate of MNIST for true pictures, for means of them, and for samples of models.

``python benchmarks/parzen.py 500 runs/mnist …``: so many of each kind; of each checkpoint, samples
are drawn in batches of 64, the network in bfloat16.  Rows of other numbers are kept.  Centres are
in units of [0, 1]; the width is chosen on 1000 training pictures that are no centres, the score is
that of the 10 000 test pictures, as in the paper's Table 2.
"""

import json
import math
import sys
from pathlib import Path

import torch
from sklearn.cluster import MiniBatchKMeans

from dpm_lib.evidence.storage import RESULTS, replace_file
from dpm_lib.learning import checkpoints, runs
from dpm_lib.learning.data import mnist_levels
from dpm_lib.learning.windows import best_width, parzen

WIDTHS = torch.logspace(-1, 0, 10)
BATCH = 64


def samples(folder, m):
    """The recipe of a run, and what its model draws, in units of [0, 1]."""
    model, notes, _ = checkpoints.read(Path(folder) / runs.LAST)
    g = torch.Generator().manual_seed(0)
    drawn = []
    with torch.autocast("cpu", torch.bfloat16):
        for begun in range(0, m, BATCH):
            drawn.append(model.sample(min(BATCH, m - begun), generator=g))
            print(f"{begun + len(drawn[-1])} samples", flush=True)
    levels = model.scaler.inverse(torch.cat(drawn)).flatten(1)
    return notes["recipe"], (levels / 255).clamp(0, 1)


def scored(name, centres, valid, test):
    width = best_width(valid, centres, WIDTHS)
    nats = parzen(test, centres, width)
    row = {
        "centres": name, "m": len(centres), "width": width, "nats": nats.mean().item(),
        "standard_error": nats.std().item() / math.sqrt(len(nats)), "n": len(nats),
    }  # fmt: skip
    print(row, flush=True)
    return row


def main():
    m, folders = int(sys.argv[1]), sys.argv[2:]
    train, test = (levels.flatten(1).float() / 255 for levels in mnist_levels())
    train, valid = train[:50_000], train[50_000:51_000]
    chosen = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:m]
    means = MiniBatchKMeans(
        m, init=train[chosen].numpy(), n_init=1, batch_size=10_000, max_iter=3,
        reassignment_ratio=0, random_state=0,
    ).fit(train.numpy())  # fmt: skip
    kinds = {
        "true pictures": train[chosen],
        "k-means of the training pictures": torch.from_numpy(means.cluster_centers_).float(),
    }
    for folder in folders:
        recipe, drawn = samples(folder, m)
        kinds[f"samples of the recipe {recipe}"] = drawn
    rows = [scored(name, centres, valid, test) for name, centres in kinds.items()]
    record = RESULTS / "experiments" / "parzen.json"
    others = [row for row in json.loads(record.read_text(encoding="utf8")) if row["m"] != m]
    replace_file(record, json.dumps(others + rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
