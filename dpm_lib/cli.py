"""``dpm``: the ledger of equations on the command line."""

import json
from typing import Annotated, Any

import typer

from dpm_lib import evidence

__all__ = ["app"]

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Diffusion probabilistic models, derived and verified."""


@app.command()
def equations(
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Fail if one is not measured.")] = False,
) -> None:
    """Print every equation with its proof, its evidence and its refused mutants."""
    entries = evidence.ledger()
    if as_json:
        typer.echo(json.dumps(entries, indent=1, ensure_ascii=False))
    else:
        typer.echo(_table(entries))
    gaps = [entry["id"] for entry in entries if entry["status"] != "measured"]
    if check and gaps:
        typer.echo(f"not measured with this version of the library: {', '.join(gaps)}", err=True)
        raise typer.Exit(1)


def _table(entries: list[dict[str, Any]]) -> str:
    head = ("id", "paper", "notes", "page", "status", "steps", "worst error", "refused")
    lines = [head, *(_cells(entry) for entry in entries)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cells(entry: dict[str, Any]) -> tuple[str, ...]:
    errors = [row["error"] for row in entry["evidence"]]
    return (
        entry["id"],
        ",".join(map(str, entry["paper"])) or "-",
        ",".join(map(str, entry["notes"])) or "-",
        entry["page"],
        entry["status"],
        str(entry["proof"]["steps"] if entry["proof"] else 0),
        f"{max(errors):.1e}" if errors else "-",
        str(len(entry["mutants"])),
    )
