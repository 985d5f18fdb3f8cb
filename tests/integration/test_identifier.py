"""An identifier through the command line: fitted on three suites' pilots, shown, and used by a run."""

import json
from pathlib import Path

import pytest

from readbench.results.document.reading import load
from readbench.runs.studies.test_set import write_test_set
from support.commands import command
from support.models import write_encoder
from support.suites import suite_text, write_suite

DEFAULTS = "defaults: {budget_tokens: 6000, num_intervals: 4, dev_every: 4, num_probes: 9, num_dev: 160, max_new_tokens: 32}\n"
NAMES = ("general_knowledge", "tool_use", "long_context")
STEPS = {"files": "[general_knowledge, long_context]", "calls": "[tool_use, general_knowledge]", "lists": "[long_context, tool_use]"}
INLINE = "--set=executor=inline"  # starts no process of its own
SETS = (INLINE, *(f"--set=pilots.{each}" for each in ("num=5", "tokens=1500", "num_probes=20")))


class Site:
    """Three suites and an encoder, with a cache of their own."""

    def __init__(self, where: Path) -> None:
        self.where = where
        write_encoder(where / "encoder")
        for name, steps in STEPS.items():
            text = suite_text(name=name, more=f"composition: [{{steps: {steps}}}]\n{DEFAULTS}", **{n: f"source: lab.{n}" for n in NAMES})
            folder = write_suite(where / name, text.replace("card: For tests.", f"card: the {name} and sums"), test=[])
            write_test_set(folder, 40)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = command(*arguments, folder=self.where, environment={"XDG_CACHE_HOME": str(self.where / "cache")})
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("site"))
    said = site("requirement", "fit", "--suites", "./files,./calls,./lists", "--encoder", "encoder", "--out", "id", *SETS, "--json")
    skills = json.loads(said)
    assert [skill["suite"] for skill in skills] == list(STEPS)
    assert all(0 <= skill[source] <= 1 for skill in skills for source in ("unseen", "card", "pilots"))
    return site


def test_show_prints_three_requirements_and_a_run_uses_the_identifier_s(site: Site) -> None:
    shown = json.loads(site("requirement", "show", "--suite", "./files", *SETS, "--set", "identifier=id", "--json"))
    assert set(shown) == {"card", "pilots", "identifier"}
    assert sum(shown["identifier"].values()) == pytest.approx(1)
    flags = ("--requirement", "identifier", "--set", "identifier=id", "--allocators", "task-static", "--seeds", "1", INLINE, "--out", "run")
    site("run", "--suite", "./files", *flags)
    results = load(site.where / "run")
    assert results.config.requirement == "identifier"
    assert results.suite.requirement == pytest.approx(shown["identifier"])
    assert results.suite.card == {"general_knowledge": 0.5, "tool_use": 0.0, "long_context": 0.5}
    assert results.complete[0].intervals[0].requested == pytest.approx(shown["identifier"])  # what the allocator was told


def test_without_one_the_command_says_how_to_get_one(site: Site) -> None:
    said = site("run", "--suite", "./files", "--requirement", "identifier", "--out", "none", code=2)
    assert "fit one with readbench requirement fit" in said
    assert "does not exist" in site(
        "requirement", "fit", "--suites", "./files,./calls,./lists", "--encoder", "./gone", "--out", "x", code=2
    )
    assert "3 or more" in site("requirement", "fit", "--suites", "./files", "--encoder", "encoder", "--out", "x", *SETS, code=2)
