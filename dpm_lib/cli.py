"""``dpm``: the ledger of equations and the recorded experiments, on the command line."""

import json
from typing import Annotated, Any

import typer
from tqdm import tqdm

from dpm_lib.evidence import ledger
from dpm_lib.learning import evaluation, recipes

__all__ = ["app"]

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Diffusion probabilistic models, derived and verified."""


@app.command("equations")
def show_equations(
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Fail if one is not measured.")] = False,
) -> None:
    """Print every equation with its proof, its evidence and its refused mutants."""
    entries = ledger.entries()
    if as_json:
        typer.echo(json.dumps(entries, indent=1, ensure_ascii=False))
    else:
        typer.echo(_table(entries))
    gaps = [entry["id"] for entry in entries if entry["status"] != "measured"]
    if check and gaps:
        typer.echo(f"not measured with this version of the library: {', '.join(gaps)}", err=True)
        raise typer.Exit(1)


@app.command()
def record(
    experiment: Annotated[str, typer.Argument(help="swiss_roll or digits.")],
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds, from 0.")] = 3,
    device: Annotated[str, typer.Option(help="Where to run.")] = "cpu",
) -> None:
    """Run an experiment in full (many minutes) and replace its file in results/experiments."""
    if experiment not in recipes.EXPERIMENTS:
        known = ", ".join(sorted(recipes.EXPERIMENTS))
        raise typer.BadParameter(f"must be one of {known}, got {experiment}")
    plan = [
        (name, steps, seed)
        for name, steps in recipes.EXPERIMENTS[experiment]
        for seed in range(seeds)
    ]
    runs = [
        recipes.run(name, seed=seed, steps=steps, device=device)
        for name, steps, seed in tqdm(plan, desc=experiment)
    ]
    typer.echo(evaluation.record(experiment, runs))


def _table(entries: list[dict[str, Any]]) -> str:
    head = ("id", "paper", "notes", "page", "status", "steps", "error / tolerance", "refused")
    lines = [head, *(_cells(entry) for entry in entries)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cells(entry: dict[str, Any]) -> tuple[str, ...]:
    near = max(entry["evidence"], key=_strain, default=None)
    return (
        entry["id"],
        ",".join(map(str, entry["paper"])) or "-",
        ",".join(map(str, entry["notes"])) or "-",
        entry["page"],
        entry["status"],
        str(entry["proof"]["steps"] if entry["proof"] else 0),
        f"{near['error']:.1e} / {near['tolerance']:.1e}" if near else "-",
        str(len(entry["mutants"])),
    )


def _strain(row: dict[str, Any]) -> float:
    """How near a check came to its tolerance."""
    return float(row["error"] / max(row["tolerance"], 1e-300))
