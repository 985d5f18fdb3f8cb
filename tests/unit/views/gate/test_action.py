"""The GitHub Action: its scripts are run here with a readbench that writes down how it was called."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[4]
DOCS = ROOT / "docs" / "gate.md"
FAKE = """#!/usr/bin/env bash
printf '%s\\n' "$@" > "$RUNNER_TEMP/arguments-$1"
for argument in "$@"; do
  case "$argument" in --markdown=*) printf '<!-- readbench -->\\n### readbench check: regression\\n' > "${argument#--markdown=}" ;; esac
done
[ "$1" = run ] || exit 1
"""
HOSTILE = 'x"; touch "$RUNNER_TEMP/pwned"; $(touch "$RUNNER_TEMP/pwned") `touch "$RUNNER_TEMP/pwned"` \'* '


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8")))


def step(action: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [step for step in action["runs"]["steps"] if step.get("name") == name]
    return dict(found)


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """The runner's temporary folder, with a readbench in it that only writes down its arguments."""
    program = tmp_path / "readbench" / "bin" / "readbench"
    program.parent.mkdir(parents=True)
    program.write_text(FAKE)
    program.chmod(0o755)
    return tmp_path


def execute(step: dict[str, Any], runner: Path, inputs: dict[str, str]) -> int:
    """As the runner does: inputs go in as variables, and bash stops at the first failure."""
    given = {name: inputs.get(re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", value)[1], "") for name, value in step["env"].items()}  # type: ignore[index]
    surroundings = {"PATH": os.environ["PATH"], "RUNNER_TEMP": str(runner), "GITHUB_OUTPUT": str(runner / "output")} | given
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(command, cwd=runner, env=surroundings, check=False)
    return done.returncode


def test_no_input_is_written_into_a_script(action: dict[str, Any]) -> None:
    for each in action["runs"]["steps"]:
        assert "${{" not in each.get("run", "")
        assert "run" not in each or each["shell"] == "bash"


def test_every_input_is_described_and_used_and_has_a_default_or_is_required(action: dict[str, Any]) -> None:
    steps = yaml.safe_dump(action["runs"])
    for name, described in action["inputs"].items():
        assert f"inputs.{name} " in steps
        assert described["description"]
        assert described.get("required", False) or "default" in described


def test_hostile_inputs_stay_arguments(action: dict[str, Any], runner: Path) -> None:
    inputs = dict.fromkeys(("suite", "seeds", "allocators", "budget", "intervals", "baseline"), HOSTILE)
    inputs |= {"run-arguments": f"--set\n{HOSTILE}\n\n", "check-arguments": HOSTILE}
    assert execute(step(action, "Run the suite"), runner, inputs) == 0
    assert execute(step(action, "Hold it against the baseline"), runner, inputs) == 1
    assert not (runner / "pwned").exists()
    ran = (runner / "arguments-run").read_text().splitlines()
    assert ran == [
        "run",
        f"--suite={HOSTILE}",
        f"--seeds={HOSTILE}",
        f"--out={runner / 'readbench-run'}",
        f"--allocators={HOSTILE}",
        f"--budget={HOSTILE}",
        f"--intervals={HOSTILE}",
        "--set",
        HOSTILE,
    ]
    checked = (runner / "arguments-check").read_text().splitlines()
    assert checked[:3] == ["check", str(runner / "readbench-run"), f"--baseline={HOSTILE}"]
    assert checked[-1] == HOSTILE


def test_inputs_left_out_leave_the_choice_to_readbench(action: dict[str, Any], runner: Path) -> None:
    assert execute(step(action, "Run the suite"), runner, {"suite": "reasoning", "seeds": "3"}) == 0
    assert (runner / "arguments-run").read_text().splitlines() == [
        "run",
        "--suite=reasoning",
        "--seeds=3",
        f"--out={runner / 'readbench-run'}",
    ]


def test_the_exit_code_of_the_check_is_the_step_s_and_the_outcome_an_output(action: dict[str, Any], runner: Path) -> None:
    assert execute(step(action, "Hold it against the baseline"), runner, {"baseline": "b.json"}) == 1
    assert (runner / "output").read_text() == "outcome=regression\n"


def test_the_workflow_that_a_user_copies_gives_the_action_inputs_that_it_has(action: dict[str, Any]) -> None:
    blocks = re.findall(r"```yaml\n(# \.github/workflows/.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        workflow = yaml.safe_load(block)
        assert workflow["permissions"] == {"contents": "read"}
        steps = [step for job in workflow["jobs"].values() for step in job["steps"] if "readbench" in step.get("uses", "")]
        assert steps
        for each in steps:
            assert set(each["with"]) <= set(action["inputs"])
            assert {name for name, described in action["inputs"].items() if described.get("required")} <= set(each["with"])
