"""``python -m dpm_lib``: the same as ``dpm``."""

from dpm_lib.cli import app

if __name__ == "__main__":
    app(prog_name="dpm")
