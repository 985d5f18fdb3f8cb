import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import readbench_suites
from readbench.base.errors import ConfigError
from readbench.models.folder import resolve_model
from readbench.runs.config import config_document, parse_seeds, resolve, restored
from readbench.runs.plan import plan
from readbench.runs.references import teacher_reference
from readbench.trials.spec import DEFAULT_ALLOCATORS

SUITES = Path(readbench_suites.__file__).parent
SPELLINGS = (("own", "student"), ("./own/suite.yaml", "./student"), ("own/../own/suite.yaml", "student/"))


def resolved(**given: Any) -> Any:
    return resolve("reasoning", environment=given.pop("environment", {}), **given)


def test_defaults_are_the_mission_s_five_allocators_and_five_seeds() -> None:
    config = resolved().config
    assert config.allocators == DEFAULT_ALLOCATORS
    assert config.seeds == (0, 1, 2, 3, 4)


def test_every_layer_is_over_the_one_before_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("budget_tokens: 50000\nnum_probes: 31\ntraining: {learning_rate: 1.0e-3, clip_norm: 0.5}\n")
    environment = {"READBENCH_NUM_PROBES": "32", "READBENCH_TRAINING__CLIP_NORM": "0.25", "HOME": "/"}
    run = resolved(
        file=file,
        environment=environment,
        flags={"budget_tokens": 60000},
        flag_names={"budget_tokens": "budget"},
        sets=["training.clip_norm=2", "params.allocator.read.kappa=0.5"],
    )
    assert run.config.budgets == (60000,)
    assert run.config.num_probes == 32
    assert run.config.training.learning_rate == 1e-3
    assert run.config.training.clip_norm == 2.0
    assert run.config.params == {"allocator": {"read": {"kappa": 0.5}}}
    assert run.origins["budgets"] == "flag --budget"
    assert run.origins["num_probes"] == "environment READBENCH_NUM_PROBES"
    assert run.origins["training.learning_rate"] == f"config file {file}"
    assert run.origins["training.clip_norm"] == "--set training.clip_norm"
    assert run.origins["num_intervals"] == "suite reasoning"
    assert run.origins["device"] == "default"


@pytest.mark.parametrize("written", ["{verifier: {code: {run: true}}}", "{code: {run: true}}"])
def test_a_suite_cannot_allow_code_to_run_and_the_user_can(tmp_path: Path, written: str) -> None:
    folder = tmp_path / "own"
    shutil.copytree(SUITES / "multilingual", folder)
    file = folder / "suite.yaml"
    file.write_text(file.read_text().replace("defaults:\n", f"defaults:\n  params: {written}\n"))
    with pytest.raises(ConfigError, match="a suite cannot allow code to run"):
        resolve(str(folder), environment={})
    own = resolve(str(folder), environment={}, sets=["params.verifier.code.run=true"])
    assert own.config.params["verifier"]["code"]["run"] is True


@pytest.mark.parametrize(("text", "budgets"), [("3e4,6e4", (30_000, 60_000)), ("1e5", (100_000,)), ("3e4, 60_000", (30_000, 60_000))])
def test_budgets_are_numbers_as_people_write_them(text: str, budgets: tuple[int, ...]) -> None:
    assert tuple(resolved(sets=[f"budgets={text}"]).config.budgets) == budgets
    assert tuple(resolved(environment={"READBENCH_BUDGETS": text}).config.budgets) == budgets


def test_half_a_token_is_no_budget() -> None:
    with pytest.raises(ConfigError, match="a valid integer"):
        resolved(sets=["budgets=3.5,4"])


def test_scientific_notation_is_a_number() -> None:
    assert resolved(sets=["training.learning_rate=3e-4"]).config.training.learning_rate == 3e-4


def test_a_plug_in_s_parameter_that_looks_like_a_mapping_is_text() -> None:
    text = '{"top_k": 1}'
    teacher = {"teacher": "openai:m"}
    assert resolved(flags=teacher, sets=[f"params.teacher.openai.fields={text}"]).config.params == {"teacher": {"openai": {"fields": text}}}
    environment = {"READBENCH_PARAMS__TEACHER__OPENAI__FIELDS": text}
    assert resolved(flags=teacher, environment=environment).config.params == {"teacher": {"openai": {"fields": text}}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sets": ["training.learnin_rate=1"]}, "--set training.learnin_rate.*did you mean 'learning_rate'"),
        ({"sets": ["budget=1"]}, "did you mean 'budgets'"),
        ({"sets": ["budget_tokens"]}, "not of the form key=value"),
        ({"sets": ["budget_tokens=many"]}, "budgets.0: input should be a valid integer"),
        ({"sets": ["training.learning_rate=-1"]}, "training.learning_rate"),
        ({"sets": ["training.learning_rate=.inf"]}, "not a finite number"),
        ({"sets": ["training=3"]}, "training"),
        ({"flags": {"allocators": "unifrom"}}, "unknown allocator 'unifrom'; did you mean 'uniform'"),
        ({"flags": {"allocators": "uniform,uniform"}}, "allocator uniform is given twice"),
        ({"flags": {"allocators": ","}}, "allocators"),
        ({"flags": {"objective": "stf"}}, "unknown objective 'stf'; did you mean 'sft'"),
        ({"flags": {"seeds": "0"}}, "seeds"),
        ({"flags": {"seeds": "3,3"}}, "seed 3 is given twice"),
        ({"flags": {"seeds": "1,x"}}, "not whole numbers"),
        ({"flags": {"seeds": "-1,2"}}, "seeds"),
        ({"flags": {"budget_tokens": 0}}, "budgets.0"),
        ({"sets": ["params.task-static.floor=1"]}, "no parameter 'floor'"),
        ({"sets": ["params.nobody.floor=1"]}, "params.nobody belongs to no plug-in of this run"),
        ({"sets": ["params.allocator.gap.floor=1"]}, "params.allocator.gap belongs to no plug-in of this run"),
        ({"sets": ["params.allocator.task-static.floor=1"]}, "no parameter 'floor'"),
        ({"sets": ["params.x=1"]}, "params.x"),
        ({"sets": ["learning_rate=1e-4"]}, "unknown setting 'learning_rate'; did you mean 'training.learning_rate'"),
        ({"sets": ["clip_norm=1"]}, "did you mean 'training.clip_norm'"),
        ({"flags": {"allocators": "uniform"}, "sets": ["params.uniform.floor.low=1"]}, "params.uniform.floor is a group of settings"),
        ({"sets": ["params.read.kappa=high"]}, "not of type float"),
        ({"environment": {"READBENCH_BUDGET": "3"}}, "environment READBENCH_BUDGET"),
        ({"sets": ["suite=coding"]}, "asks for suite 'coding'"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(given: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        resolved(**given)
    assert "\n" not in str(error.value)


def test_an_unknown_suite_names_the_near_match() -> None:
    with pytest.raises(ConfigError, match="unknown suite 'reasonin'; did you mean 'reasoning'"):
        resolve("reasonin", environment={})


def test_seeds_are_a_count_or_a_list() -> None:
    assert parse_seeds("5") == [0, 1, 2, 3, 4]
    assert parse_seeds("3,7") == [3, 7]
    assert parse_seeds("7,") == [7]
    with pytest.raises(ConfigError, match="seeds: a run needs at least 1, not 0"):
        parse_seeds("0")


def test_the_identity_ignores_how_a_run_is_computed() -> None:
    one, other = resolved(flags={"workers": 1}), resolved(flags={"workers": 2})
    assert one.hash() == other.hash()
    assert one.hash() != resolved(flags={"budget_tokens": 99_000}).hash()


def test_a_config_is_restored_from_its_document() -> None:
    config = resolved(sets=["params.allocator.read.kappa=0.5"]).config
    assert restored(config_document(config)) == config


def test_parameters_without_a_kind_are_read_with_a_warning() -> None:
    run = resolved(sets=["params.read.kappa=0.5"])
    assert run.config.params == {"allocator": {"read": {"kappa": 0.5}}}
    assert run.warnings == ("params.read is the older way of writing: write params.allocator.read",)
    assert run.hash() == resolved(sets=["params.allocator.read.kappa=0.5"]).hash()
    assert resolved(sets=["params.allocator.read.kappa=0.5"]).warnings == ()


def test_the_newer_way_of_writing_a_parameter_is_over_the_older_one() -> None:
    run = resolved(sets=["params.allocator.read.kappa=0.5", "params.read.kappa=0.25", "params.read.top_k=2"])
    assert run.config.params == {"allocator": {"read": {"kappa": 0.5, "top_k": 2}}}


def test_paths_are_kept_from_the_root_and_are_no_part_of_what_a_run_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = SUITES / "reasoning"
    shutil.copytree(own, tmp_path / "own")
    shutil.copytree(resolve_model("lab/student"), tmp_path / "student")
    monkeypatch.chdir(tmp_path)
    spelled = [resolve(suite, environment={}, flags={"student": student}) for suite, student in SPELLINGS]
    assert {run.config.suite for run in spelled} == {str(tmp_path / "own")}
    assert {run.config.student for run in spelled} == {str(tmp_path / "student")}
    assert {(run.identity()["suite"], run.identity()["student"]) for run in spelled} == {("own", "student")}
    assert len({plan(run).trials[0].id for run in spelled[:2]}) == 1


def test_a_teacher_without_a_registered_prefix_is_a_local_model() -> None:
    assert teacher_reference("lab/teacher") == ("hf", "lab/teacher")
    assert teacher_reference("hf:lab/teacher") == ("hf", "lab/teacher")
    assert teacher_reference("models/odd:name") == ("hf", "models/odd:name")
