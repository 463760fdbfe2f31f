"""The first program of the README runs."""

import re

from book_ext import house


def test_first_program_runs(capsys):
    text = (house.ROOT / "README.md").read_text(encoding="utf8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    assert program.count("\n") <= 20
    exec(compile(program, "README.md", "exec"), {})
    assert "nats" in capsys.readouterr().out
