"""docs/verifiers.md: its example runs, and its table names every verifier of ours."""

import re
from pathlib import Path

from readbench.base.plugins import registry

PAGE = (Path(__file__).parents[4] / "docs" / "verifiers.md").read_text(encoding="utf-8")


def test_the_example_gives_what_it_says() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    *lines, call = code.strip().splitlines()
    names: dict[str, object] = {}
    exec("\n".join(lines), names)  # noqa: S102 - our own page
    expression, _, value = call.partition("  # ")
    assert eval(expression, names) == float(value)  # noqa: S307 - our own page


def test_the_table_names_them_all() -> None:
    ours = {name for name, found in registry().plugins("verifier").items() if found.distribution == "readbench"}
    assert set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, flags=re.MULTILINE)) == ours
