"""A suite from a stranger: its task is lm-eval's format, which is code; none of it runs, and no file outside of its folder is read."""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readbench.base.errors import ConfigError
from readbench.runs.config import resolve
from readbench.suites.suite import load_suite


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_suite_is_sound_before_it_is_changed(suite: Path) -> None:
    assert len(load_suite(str(suite)).test_prompts()) == 20


def touching(canary: Path) -> list[str]:
    """Jinja that makes a file where it is not sandboxed."""
    call = f".__globals__.os.mkdir('{canary}')"
    return [
        "{{ cycler.__init__" + call + " }}",
        "{{prompt}}{{ lipsum" + call + " }}",
        "{% if joiner.__init__" + call + " %}x{% endif %}",
        "{{ prompt.__class__.__base__.__subclasses__() }}",
        "{{ prompt['__class__'] }}",
        "{{ prompt|attr('__class__') }}",
        "{{ prompt.format(1) }}",
        "{{ _x }}",
        "{# a remark #}{{prompt}}",
        "{{prompt}}{% include 'x' %}",
        "{{{{prompt}}}}{{1+1}}",
        "{{\n7*7\n}}",
    ]


def test_what_is_refused_would_have_run(canary: Path) -> None:
    """The trap is a real one: lm-eval renders templates outside Jinja's sandbox."""
    from lm_eval.utils import apply_template

    apply_template(touching(canary)[0], {"prompt": "x"})
    assert canary.exists()


@pytest.mark.parametrize("field", ["doc_to_text", "doc_to_target", "doc_to_choice", "description", "target_delimiter"])
@pytest.mark.parametrize("number", range(12))
def test_a_template_that_is_more_than_fields_is_refused(
    readbench: Callable[..., Any], suite: Path, canary: Path, field: str, number: int
) -> None:
    task = suite / "task.yaml"
    lines = [line for line in task.read_text().splitlines() if not line.startswith(f"{field}:")]
    task.write_text("\n".join([*lines, f"{field}: {json.dumps(touching(canary)[number])}"]))
    outcome = readbench("run", "--suite", suite, "--dry-run")
    assert outcome.code == 2
    assert "is more than text and fields" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not canary.exists()


@pytest.mark.parametrize(
    "template", ["{{prompt}}", "Q: {{ prompt }}\nA:", "{{choices[0]}} or {{meta.topic}}", "no field } at { all", "prompt"]
)
def test_fields_and_text_are_templates(suite: Path, template: str) -> None:
    change(suite / "task.yaml", '"{{prompt}}"', json.dumps(template))
    load_suite(str(suite))


@pytest.mark.parametrize(
    "line",
    [
        "process_docs: !function code.run",
        "doc_to_image: !function code.run",
        "include: other.yaml",
        "use_prompt: 'promptsource:x'",
        "process_results: code.run",
        "custom_dataset: code.run",
        "unsafe_code: true",
        "fewshot_config: {sampler: first_n}",
        "filter_list: [{name: x, filter: [{function: custom}]}]",
        "dataset_name: x",
        "class: code.Mine",
        "group: x",
        "generation_kwargs: {}",
    ],
)
def test_what_would_name_code_is_no_setting_of_a_task(suite: Path, canary: Path, line: str) -> None:
    (suite / "code.py").write_text(f"from pathlib import Path\nPath({str(canary)!r}).touch()\ndef run(*a, **k): return a\n")
    (suite / "other.yaml").write_text("process_docs: !function code.run\n")
    change(suite / "task.yaml", "test_split: test", f"test_split: test\n{line}")
    with pytest.raises(ConfigError, match=r"unknown setting|tags are not allowed") as error:
        load_suite(str(suite))
    assert "\n" not in str(error.value)
    assert not canary.exists()


@pytest.mark.parametrize("metric", ["{metric: ./code.py, hf_evaluate: true}", "{metric: exact_match}", "{metric: acc, x: 1}"])
def test_a_metric_is_accuracy_and_no_script(suite: Path, metric: str) -> None:
    change(suite / "task.yaml", "{metric: acc, aggregation: mean, higher_is_better: true}", metric)
    with pytest.raises(ConfigError, match="metric_list"):
        load_suite(str(suite))


@pytest.mark.parametrize("path", ["some/dataset", "csv", "text", "./code.py"])
def test_a_dataset_is_json_lines_in_the_folder(suite: Path, path: str) -> None:
    change(suite / "task.yaml", "dataset_path: json", f"dataset_path: {path}")
    with pytest.raises(ConfigError, match="dataset_path"):
        load_suite(str(suite))


def test_the_file_that_is_checked_is_the_one_that_is_evaluated(suite: Path) -> None:
    """A second split must not smuggle in a file that nobody looked at."""
    change(suite / "task.yaml", "{test: test.jsonl}", "{test: test.jsonl, other: /etc/hostname}")
    change(suite / "task.yaml", "test_split: test", "test_split: other")
    with pytest.raises(ConfigError, match="outside the suite's folder"):
        load_suite(str(suite))


NAMES = ["../outside.jsonl", "/etc/passwd", "sub/../../outside.jsonl", "link.jsonl", "folder.jsonl", "a\0b", "x" * 300, "", ".", "~/x"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("place", ["manual", "test", "task"])
def test_every_file_of_a_suite_is_in_its_folder(suite: Path, name: str, place: str) -> None:
    (suite.parent / "outside.jsonl").write_text((suite / "manual.jsonl").read_text())
    (suite / "link.jsonl").symlink_to(suite.parent / "outside.jsonl")
    (suite / "folder.jsonl").mkdir()
    file, old = {
        "manual": ("suite.yaml", "manual.jsonl"),
        "test": ("task.yaml", "test.jsonl"),
        "task": ("suite.yaml", "task.yaml"),
    }[place]
    change(suite / file, old, json.dumps(name))
    with pytest.raises(ConfigError, match=r"outside the suite's folder|no file|not a file name|at least 1") as error:
        load_suite(str(suite))
    assert "\n" not in str(error.value)


def test_a_pipe_is_no_file_to_wait_for(suite: Path) -> None:
    os.mkfifo(suite / "pipe.jsonl")
    change(suite / "suite.yaml", "manual.jsonl", "pipe.jsonl")
    with pytest.raises(ConfigError, match="there is no file"):
        load_suite(str(suite))


def test_a_suite_s_defaults_are_settings_and_nothing_else(suite: Path) -> None:
    (suite / "suite.yaml").write_text((suite / "suite.yaml").read_text() + "defaults: {out: /etc/cron.d, __class__: x}\n")
    with pytest.raises(ConfigError, match="unknown setting"):
        resolve(str(suite), environment={})


BOMBS = {
    "aliases": "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
    "depth": "a: " + "[" * 5000 + "]" * 5000,
    "size": "a: " + "x" * (1 << 21),
    "digits": "a: " + "9" * 100_000,
    "hexadecimal": "a: 0x" + "f" * 100_000,
    "object": "a: !!python/object/apply:os.system [echo]\n",
    "name": "a: !!python/name:os.system\n",
    "module": "a: !!python/module:os\n",
    "merge": "a: {<<: {b: 1}}\n",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_yaml_bomb_is_one_line(readbench: Callable[..., Any], suite: Path, bomb: str) -> None:
    for file in ("suite.yaml", "task.yaml"):
        before = (suite / file).read_text()
        (suite / file).write_text(bomb)
        outcome = readbench("run", "--suite", suite, "--dry-run")
        assert outcome.code == 2
        assert outcome.err.count("\n") == 1
        assert len(outcome.err) < 2000
        (suite / file).write_text(before)


def test_a_question_may_hold_a_line_separator(suite: Path) -> None:
    """JSON lines are parted by line feeds: U+2028, which Python takes for a line's end, is text."""
    with contextlib.closing((suite / "manual.jsonl").open("a")) as file:
        file.write('\n{"prompt": "a\u2028b\x85c", "answer": "x", "factors": {"n": 1}}')
    assert len(load_suite(str(suite)).sources()) == 1
