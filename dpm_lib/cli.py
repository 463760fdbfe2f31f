"""``dpm``: train, evaluate and sample models; equations and recorded experiments."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
import typer.core
from tqdm import tqdm

from dpm_lib import doors
from dpm_lib.evidence import ledger
from dpm_lib.evidence.row import in_words
from dpm_lib.learning import (
    checkpoints,
    evaluation,
    experiments,
    parallel,
    recipes,
    runs,
    splits,
    training,
)
from dpm_lib.learning.data import Scaler

__all__ = ["app"]


class OneLine(typer.core.TyperGroup):
    """Commands whose errors are one line, also those of a call that typer does not understand."""

    def main(self, *args: Any, **settings: Any) -> Any:
        """Run a command; what is wrong with the call goes to stderr, with exit code 2."""
        try:
            code = super().main(*args, **settings | {"standalone_mode": False})
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise
            place = getattr(error, "ctx", None)
            usage = f"{place.command_path if place else 'dpm'} --help"
            typer.echo(f"Error: {' '.join(error.format_message().split())} (see {usage})", err=True)
            sys.exit(2)
        sys.exit(code if isinstance(code, int) else 0)


app = typer.Typer(cls=OneLine, add_completion=False, pretty_exceptions_enable=False)


Device = Annotated[str, typer.Option(help="Where to run: auto, cpu, cuda …")]


@app.callback()
def main() -> None:
    """Diffusion probabilistic models, derived and verified."""


@app.command("equations")
def show_equations(
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Fail if one is not measured.")] = False,
) -> None:
    """Print every equation with its proof, its evidence and its refused mutants."""
    with _messages():
        entries = ledger.entries()
        faults = [str(v) for v in ledger.verdicts() if v.fault]
    if as_json:
        typer.echo(json.dumps(entries, indent=1, ensure_ascii=False))
    else:
        typer.echo(_table(HEAD, map(_cells, entries)))
    gaps = [f"{e['id']}: {e['status']}" for e in entries if e["status"] != "measured"]
    if around := ledger.circle(entries):
        gaps.append(f"a circle of proofs: {' rests on '.join(around)}")
    if check and (faults or gaps):
        typer.echo("\n".join([*faults, *gaps]), err=True)
        raise typer.Exit(1)


@app.command("slips")
def show_slips() -> None:
    """Print for each proof how many one-slip damages of its lines were refused."""
    with _messages():
        proofs = {e["id"]: e["proof"] for e in ledger.entries() if e["proof"]}
    lines = []
    for key, proof in proofs.items():
        slips, claim = proof["slips"], in_words(proof["claim"])
        counts = (slips["refused"], slips["by_rules"], slips["without_value"], len(slips["equal"]))
        lines.append((key, *map(str, counts), claim))
    typer.echo(_table(("id", "refused", "by rules", "without value", "equal", "proved for"), lines))


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help=", ".join(recipes.RECIPES))],
    steps: Annotated[int | None, typer.Option(help="Updates, if not those of the recipe.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, batches and noise.")] = 0,
    device: Device = "auto",
    dtype: Annotated[
        str | None, typer.Option(help="float32, float64, bfloat16 (autocast); else the recipe's.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; by default runs/RECIPE.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
) -> None:
    """Train a recipe in a folder that nothing can lose; Ctrl-C saves and stops.

    On several processes: torchrun --nproc-per-node N -m dpm_lib train RECIPE.
    """
    folder = out or Path("runs") / recipe
    with _messages():
        with parallel.joined(_device(device)) as where:
            precision = doors.one_of("dtype", dtype or "float32", DTYPES)
            made = recipes.make(
                recipe, seed=seed, steps=steps, device=where, dtype=precision,
                autocast=None if dtype is None else dtype == "bfloat16",
            )  # fmt: skip
            first, total = parallel.rank() == 0, made.settings.steps
            with tqdm(total=total, desc=recipe, unit="step", delay=1, disable=not first) as bar:
                model = runs.train(made, folder, resume=resume, report=training.shown(bar))
        if first:
            typer.echo(_result(experiments.measured(made, model)))
            typer.echo(folder / runs.LAST)


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A file of dpm train, or its folder.")],
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the record.")] = False,
) -> None:
    """Measure a checkpoint on the held-out data of its recipe."""
    with _messages():
        kept = checkpoints.read(_file(checkpoint), device=_device(device))
        made = recipes.made_again(kept.notes, device=_device(device))
        found = experiments.measured(made, kept.model)
    typer.echo(json.dumps(found, indent=1) if as_json else _result(found))


@app.command()
def sample(
    checkpoint: Annotated[Path, typer.Argument(help="A file of dpm train, or its folder.")],
    n: Annotated[int, typer.Option(help="Number of examples.")] = 64,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    device: Device = "auto",
    out: Annotated[Path, typer.Option(help="A picture (.png, .svg) or an array (.npy).")] = Path(
        "samples.png"
    ),
) -> None:
    """Draw examples from a checkpoint, in the units of the data where the model keeps them."""
    from dpm_lib.plots import write_samples

    with _messages():
        kept = checkpoints.read(_file(checkpoint), device=_device(device))
        g = torch.Generator(kept.model.kernel.beta.device).manual_seed(
            doors.integer("seed", seed, 0)
        )
        drawn = kept.model.sample(n, generator=g)
        if isinstance(kept.model.scaler, Scaler):
            drawn = kept.model.scaler.inverse(drawn)
        drawn = drawn.cpu()
        picture = kept.notes.get("picture")
        write_samples(out, drawn.view(n, *picture) if picture else drawn)
    typer.echo(out)


@app.command("data")
def show_data(
    name: Annotated[str, typer.Argument(help=", ".join(splits.DATA))],
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
) -> None:
    """Fetch a data set, if it must be fetched, and say what is in it."""
    with _messages():
        found = splits.described(name, seed)
    typer.echo("\n".join(f"{key}: {value}" for key, value in found.items()))


@app.command()
def record(
    experiment: Annotated[str, typer.Argument(help=", ".join(experiments.EXPERIMENTS))],
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds, from 0.")] = 3,
    device: Annotated[str, typer.Option(help="Where to run.")] = "cpu",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the file; in a clone, results/experiments.")
    ] = None,
) -> None:
    """Run an experiment in full (many minutes) and replace its file of records.

    What is done is kept when it is interrupted: the same command goes on.
    """
    with _messages():
        plans = doors.one_of("experiment", experiment, experiments.EXPERIMENTS)
        file, finished, before = evaluation.record_file(experiment, out), 0, 0
        with tqdm(total=seeds * sum(steps for _, steps in plans), desc=experiment, delay=1) as bar:
            shown = training.shown(bar)
            records = experiments.run_all(
                experiment, seeds=seeds, device=device, folder=out,
                report=lambda step, K: shown(before + step, K),
            )  # fmt: skip
            try:
                for found in records:
                    finished, before = finished + 1, before + found["settings"]["steps"]
                    bar.update(before - bar.n)
            except (KeyboardInterrupt, runs.Interrupted):
                bar.close()
                typer.echo(
                    f"interrupted: {finished} of {seeds * len(plans)} runs are finished, "
                    "the same command goes on",
                    err=True,
                )
                raise typer.Exit(130) from None
    typer.echo(file)


DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}
"""What states and parameters are in; with bfloat16 the network computes in it."""


def _device(name: str) -> str:
    """The named device; of auto, the best one that is there."""
    if name != "auto":
        return name
    return (
        str(torch.accelerator.current_accelerator()) if torch.accelerator.is_available() else "cpu"
    )


def _file(path: Path) -> Path:
    return path / runs.LAST if path.is_dir() else path


def _result(found: dict[str, Any]) -> str:
    """A record in words."""
    drawn, every = found["steps"], found["T"] - 1
    draws = "one draw for each step" if drawn == every else f"{drawn} draws for {every} steps"
    return (
        f"K = {found['K']:.4f} ± {found['standard_error']:.4f} {found['unit']}, "
        f"K - L_null = {found['K_minus_L_null']:.4f}: the bound of eq. 14 with its correction, "
        f"{draws}, on {found['n']} held-out examples ({found['device']}, "
        f"{found['dtype']}, torch {found['torch']})"
    )


@contextmanager
def _messages() -> Iterator[None]:
    """Bad input and files that cannot be used end in one line and exit code 2; Ctrl-C in 130."""
    try:
        yield
    except runs.Interrupted as stopped:
        typer.echo(f"{stopped}: the same command with --resume goes on", err=True)
        raise typer.Exit(130) from None
    except (ValueError, OSError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None


HEAD = (
    "id", "paper", "notes", "page", "status", "steps", "by rules", "error / tolerance", "refused",
)  # fmt: skip


def _table(head: Sequence[str], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [tuple(head), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cells(entry: dict[str, Any]) -> tuple[str, ...]:
    near = max(entry["evidence"], key=lambda row: row["error"] / row["tolerance"], default=None)
    proof = entry["proof"]
    return (
        entry["id"],
        ",".join(map(str, entry["paper"])) or "-",
        ",".join(map(str, entry["notes"])) or "-",
        entry["page"],
        entry["status"].partition(":")[0],
        str(proof["steps"] if proof else 0),
        f"{proof['rules']['steps']}/{proof['steps']}" if proof else "-",
        f"{near['error']:.1e} / {near['tolerance']:.1e}" if near else "-",
        str(len(entry["mutants"])),
    )
