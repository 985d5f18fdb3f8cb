"""What every command has in common: its surface, its imports, and what it does about errors."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from readbench.base.errors import IncompleteRunError, ReadbenchError, SurroundingError
from readbench.runs.config import resolve
from readbench.views.cli import interruption, run, session
from readbench.views.cli.main import app
from support.results import parsed

GOLDEN = Path(__file__).parents[1] / "golden" / "cli.txt"


def surface(command: Any, path: str) -> list[str]:
    """Every command and option, one a line."""
    lines = [path]
    for parameter in sorted(command.params, key=lambda p: p.opts):
        kind = "argument" if parameter.param_type_name == "argument" else "option"
        lines.append(f"{path} {kind} {' '.join(parameter.opts)}{' (required)' if parameter.required else ''}")
    for name, child in sorted(getattr(command, "commands", {}).items()):
        lines += surface(child, f"{path} {name}")
    return lines


def test_surface_is_the_golden_one() -> None:
    """Scripts depend on every name here: a change is deliberate, and goes into tests/golden/cli.txt and CHANGELOG.md."""
    assert surface(typer.main.get_command(app), "readbench") == GOLDEN.read_text().splitlines()


def printed_without(heavy: set[str], code: str) -> str:
    """What code prints in a process of its own, which must not import those."""
    check = f"found = {heavy!r} & sys.modules.keys()"
    whole = (
        f"import sys\nfrom readbench.views.cli.main import main\n{code}\n{check}\nsys.exit(f'imported: {{sorted(found)}}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_imports_nothing_heavy() -> None:
    heavy = {"torch", "transformers", "lm_eval", "matplotlib", "numpy", "pydantic", "scipy", "datasets", "rich"}
    assert "compare" in printed_without(heavy, "main(['--help'])")


def test_the_process_that_drives_a_run_never_imports_torch() -> None:
    """That takes a second, before each command and beside the workers, and memory that they need."""
    code = (
        "main(['run', '--suite', 'reasoning', '--allocators', 'read', '--dry-run'])\n"
        "import readbench.results.document.building, readbench.runs.execute"
    )
    assert "tokens" in printed_without({"torch", "transformers", "lm_eval", "datasets", "ray"}, code)


def test_help_is_shown_where_nothing_was_asked(readbench: Callable[..., Any]) -> None:
    outcome = readbench()
    assert outcome.code == 0
    assert outcome.out.startswith("Usage: readbench")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "error: No such command 'frobnicate'; see readbench --help\n"),
        (["run"], "error: Missing option '--suite'; see readbench run --help\n"),
        (["run", "--suite", "x", "--buget", "3"], "--buget"),
        (["run", "--suite", "x", "--budget", "ten"], "'--budget'"),
        (["list", "toys"], "'toys'"),
        (["list"], "see readbench list --help\n"),
        (["lab"], "see readbench lab --help\n"),
        (["resume"], "see readbench resume --help\n"),
        (["run\x1b[2J"], r"run\x1b[2J"),
    ],
)
def test_usage_error_is_one_line(readbench: Callable[..., Any], arguments: list[str], said: str) -> None:
    outcome = readbench(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert said in outcome.err
    assert "\x1b" not in outcome.err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ReadbenchError("it is\nwrong", hint="mend it"), 2, "error: it is\\nwrong; mend it\n"),
        (IncompleteRunError("half"), 4, "error: half\n"),
        (SurroundingError("no disk"), 5, "error: no disk\n"),
        (OSError(28, "No space left on device", "/x"), 5, "error: No space left on device: /x; --debug shows where\n"),
    ],
)
def test_errors_become_a_line_and_an_exit_code(
    readbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, line: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("readbench.views.console.listing.show_plugins", fail)
    outcome = readbench("list", "suites")
    assert (outcome.code, outcome.err) == (code, line)
    debugged = readbench("list", "suites", "--debug")
    assert debugged.code == code
    assert "Traceback" in debugged.err
    assert debugged.err.endswith(line)


def test_a_bug_costs_a_line_and_a_code_of_its_own(readbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("readbench.views.console.listing.show_plugins", fail)
    line = "error: unexpected ZeroDivisionError: by nothing; --debug shows where; please report it\n"
    done = readbench("list", "suites")
    assert (done.code, done.out, done.err) == (70, "", line)
    debugged = readbench("list", "suites", "--debug")
    assert (debugged.code, debugged.err.endswith(line), "Traceback" in debugged.err) == (70, True, True)


def test_a_missing_argument_is_named_on_one_line(readbench: Callable[..., Any]) -> None:
    done = readbench("list")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "\\n" not in done.err
    assert "suites" in done.err


def test_interrupt_ends_with_130(readbench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("readbench.views.console.listing.show_plugins", stop)
    assert readbench("list", "suites").code == 130


def test_interrupted_run_prints_the_command_that_resumes_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("readbench.runs.plan.plan", stop)
    with pytest.raises(interruption.InterruptedRunError, match=r"resume with: readbench resume 'a run'") as caught:
        session.follow(Path("a run"), resolve("reasoning", environment={}), allow_drift=False, as_json=False)
    assert caught.value.exit_code == 130
    assert capsys.readouterr().out == ""


def test_incomplete_run_shows_what_there_is(
    tmp_path: Path, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document["trials"][5] |= {"status": "failed", "failure": "the loss is not finite", "metrics": None}
    monkeypatch.setattr(session, "carry_out", lambda *_, **__: parsed(document))
    with pytest.raises(IncompleteRunError, match=r"1 of 6 trials are not complete; read, seed 2: the loss is not finite") as caught:
        session.follow(tmp_path, resolve("reasoning", environment={}), allow_drift=False, as_json=False)
    assert caught.value.hint == f"fix the cause and resume with: readbench resume {tmp_path}"
    assert "readbench resume" in capsys.readouterr().out


def test_json_is_all_of_standard_output(tmp_path: Path, document: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    session.show([parsed(document)], tmp_path, as_json=True)
    captured = capsys.readouterr()
    assert captured.out.startswith("{")
    assert captured.out.isascii()
    assert captured.err == ""


def test_version(readbench: Callable[..., Any]) -> None:
    outcome = readbench("--version")
    assert outcome.code == 0
    assert outcome.out.startswith("readbench ")


def test_commands_are_thin() -> None:
    """One file a command, without logic: nothing there is worth more than one function."""
    for path in Path(run.__file__).parent.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 110, path
