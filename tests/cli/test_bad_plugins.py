"""Suites and plug-ins that other people wrote badly: one line for what cannot be used, and the rest goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from readbench.base.plugins import registry
from support.plugins import install as install_plugins
from support.suites import suite_text, write_suite

SUITE = suite_text(math="source: lab.math, weight: 1.0", code="source: lab.code")
BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (SUITE + "colour: red\n", "unknown setting 'colour'"),
        (SUITE.replace("weight: 1.0", "waight: 1.0"), "unknown setting 'capabilities.math.waight'; did you mean 'weight'?"),
        (SUITE.replace("version: 1", "version: one"), "version: input should be a valid integer"),
        (SUITE.replace("weight: 1.0", "weight: heavy"), "capabilities.math.weight: input should be a valid number"),
        (SUITE.replace("weight: 1.0", "weight: -1.0"), "capabilities.math.weight: input should be greater than 0"),
        (SUITE.replace("weight: 1.0", "weight: 0"), "capabilities.math.weight: input should be greater than 0"),
        (SUITE.replace("weight: 1.0", "weight: .inf"), "inf is not a finite number"),
        (SUITE.replace(", weight: 1.0", ""), "no capability has a weight"),
        (SUITE.partition("capabilities:")[0] + "capabilities: {}\ntest: {task: task.yaml}\n", "capabilities: at least one is needed"),
        (SUITE.partition("capabilities:")[0] + "test: {task: task.yaml}\n", "capabilities"),
        (SUITE.replace("{source: lab.code}", "{}"), "capabilities.code needs one of source, jsonl and dataset"),
        (SUITE.replace("lab.code", "lab.coed"), "capabilities.code: unknown source 'lab.coed'; did you mean 'lab.code'?"),
        (SUITE.replace("{source: lab.code}", "{jsonl: ../../secrets.jsonl}"), "is outside the suite's folder"),
        (SUITE.replace("{source: lab.code}", "{jsonl: none.jsonl}"), "there is no file 'none.jsonl' next to suite.yaml"),
        (SUITE.replace("  code:", "  math:"), "key 'math' appears twice"),
        (SUITE.replace("schema: 1", "schema: 9"), "schema 9 is not known"),
        (BOMB, "YAML aliases are not allowed"),
        ("a: " * 500, "is not valid YAML"),
        ("[" * 500, "suite.yaml"),
        ("!!python/object/apply:os.system ['true']\n", "suite.yaml"),
        ("- a\n", "must be a mapping"),
        ("", "must be a mapping"),
        ("\x1b]0;title\x07: 1\n", "suite.yaml"),
    ],
)
def test_bad_suite_is_refused_in_one_line(readbench: Callable[..., Any], tmp_path: Path, changed: str, said: str) -> None:
    (tmp_path / "suite.yaml").write_text(changed)
    (tmp_path / "task.yaml").write_text("task: mine\n")
    outcome = readbench("run", "--suite", tmp_path / "suite.yaml", "--out", tmp_path / "run")
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert "\x1b" not in outcome.err
    assert said in outcome.err
    assert not (tmp_path / "run").exists()


def test_suite_file_that_is_not_there(readbench: Callable[..., Any], tmp_path: Path) -> None:
    outcome = readbench("run", "--suite", tmp_path / "none.yaml")
    assert outcome.code == 2
    assert "none.yaml" in outcome.err
    assert outcome.err.count("\n") == 1


Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution whose one module registers plug-ins."""

    def put(name: str, module: str) -> None:
        monkeypatch.syspath_prepend(str(install_plugins(tmp_path / name, name, module)))
        registry.cache_clear()

    yield put
    registry.cache_clear()


def test_plugin_that_raises_on_import_is_named_and_the_others_work(readbench: Callable[..., Any], install: Install) -> None:
    install("crooked_plugin", "raise RuntimeError('no \\x1b[2J luck')\n")
    outcome = readbench("list", "allocators", "--json")
    assert outcome.code == 0
    assert {"read", "uniform"} <= {row["name"] for row in outcome.json()}
    assert outcome.err == ("warning: plug-in module 'crooked_plugin' of 'crooked_plugin' does not import: RuntimeError: no \\x1b[2J luck\n")


def test_two_plugins_of_one_name_are_refused(readbench: Callable[..., Any], install: Install) -> None:
    install("twin_plugin", "from readbench.api import allocator\n\n@allocator('uniform')\ndef mine(problem, seed): ...\n")
    outcome = readbench("list", "allocators")
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err == (
        "error: two plug-ins are allocator 'uniform': one of 'readbench', one of 'twin_plugin'; uninstall or rename one of them\n"
    )


def test_third_party_allocator_is_listed_with_its_parameters(readbench: Callable[..., Any], install: Install) -> None:
    module = (
        "from readbench.api import allocator\n\n@allocator('mine')\ndef mine(problem, seed, *, floor: float = 0.5):\n    '''[b]Mine.'''\n"
    )
    install("third_party", module)
    rows = {row["name"]: row for row in readbench("list", "allocators", "--json").json()}
    assert rows["mine"] == {
        "name": "mine",
        "summary": "[b]Mine.",
        "parameters": {"floor": {"type": "float", "default": 0.5}},
        "source": "third_party",
    }
    assert "[b]Mine." in readbench("list", "allocators").out


def test_a_plugin_that_exits_on_import_is_named_and_the_others_work(readbench: Callable[..., Any], install: Install) -> None:
    install("leaving_plugin", "raise SystemExit(0)\n")
    outcome = readbench("list", "allocators", "--json")
    assert outcome.code == 0
    assert {"read", "uniform"} <= {row["name"] for row in outcome.json()}
    assert outcome.err == "warning: plug-in module 'leaving_plugin' of 'leaving_plugin' does not import: SystemExit: 0\n"


@pytest.mark.parametrize("does", ["raise SystemExit(0)", "raise KeyError('no')"], ids=["exits", "raises"])
def test_a_factory_that_ends_badly_is_named_before_the_run(
    readbench: Callable[..., Any], install: Install, tmp_path: Path, does: str
) -> None:
    install("crooked_factory", f"from readbench.api import allocator\n\n@allocator('odd')\ndef odd(problem, seed):\n    {does}\n")
    outcome = readbench("run", "--suite", "multilingual", "--allocators", "odd,uniform", "--out", tmp_path / "run")
    assert outcome.code == 2
    assert outcome.err.startswith("error: allocator 'odd' raised ")
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_source_that_raises_is_named_before_the_run(readbench: Callable[..., Any], install: Install, tmp_path: Path) -> None:
    module = (
        "from readbench.api import source\n\nclass Odd:\n    def sample(self, rng, difficulty):\n        raise KeyError('no')\n\n"
        "@source('odd')\ndef odd():\n    return Odd()\n"
    )
    install("crooked_source", module)
    write_suite(tmp_path, SUITE.replace("lab.code", "odd"), test=[{"prompt": "1+1", "answer": "2"}])
    outcome = readbench("run", "--suite", tmp_path / "suite.yaml", "--set", "max_new_tokens=16", "--out", tmp_path / "run")
    assert outcome.code == 2
    assert outcome.err == "error: source 'odd' raised KeyError: 'no'\n"
