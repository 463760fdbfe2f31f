"""``dpm``: the ledger of equations and the recorded experiments, on the command line."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core
from tqdm import tqdm

from dpm_lib.evidence import ledger
from dpm_lib.evidence.row import in_words
from dpm_lib.learning import evaluation, recipes

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
def record(
    experiment: Annotated[str, typer.Argument(help="swiss_roll or digits.")],
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds, from 0.")] = 3,
    device: Annotated[str, typer.Option(help="Where to run.")] = "cpu",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the file; in a clone, results/experiments.")
    ] = None,
) -> None:
    """Run an experiment in full (many minutes) and replace its file of records.

    Finished runs are kept when it is interrupted: the same command goes on.
    """
    with _messages():
        file = evaluation.record_file(experiment, out)
        runs = recipes.run_all(experiment, seeds=seeds, device=device, folder=out)
        total = seeds * len(recipes.EXPERIMENTS.get(experiment, []))
        finished = 0
        try:
            for _ in tqdm(runs, desc=experiment, total=total, delay=1):
                finished += 1
        except KeyboardInterrupt:
            typer.echo(
                f"interrupted: {finished} of {total} runs are kept, the same command goes on",
                err=True,
            )
            raise typer.Exit(130) from None
    typer.echo(file)


@contextmanager
def _messages() -> Iterator[None]:
    """Bad input and files that cannot be used end in one line and exit code 2."""
    try:
        yield
    except (ValueError, OSError) as error:
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
