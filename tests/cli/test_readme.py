"""The README's promises that can be checked without a run."""

import re
import types
from pathlib import Path

import pytest
import typer

from readbench.testing import check_allocator
from readbench.views.cli.main import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL = "python3 -m venv .venv && . .venv/bin/activate && pip install -c constraints.txt "


def test_the_allocator_of_the_readme_keeps_the_contract() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    module = types.ModuleType("my_allocators")
    exec(code, module.__dict__)  # noqa: S102 - our own text
    check_allocator(module.Roomiest)


def test_there_are_two_main_commands() -> None:
    assert [line.removeprefix(INSTALL) for line in README.splitlines() if line.startswith(INSTALL)] == [
        ". && readbench run --suite reasoning",
        "'.[test]' && pytest",
    ]


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name
)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_option_that_the_documents_name_exists() -> None:
    command = typer.main.get_command(app)
    known = {"--help"}
    commands = [command]
    while commands:
        current = commands.pop()
        known |= {option for parameter in current.params for option in parameter.opts}
        commands += getattr(current, "commands", {}).values()
    for page in (README, (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")):
        used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page))
        assert used - known == set()
