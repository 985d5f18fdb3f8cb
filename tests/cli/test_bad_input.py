"""A user's mistake: one clear line on standard error, the exit code, no traceback, and no half-written run directory."""

import importlib.util
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from readbench.base.files import sealed

Refused = Callable[..., str]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that looks like a model: what is checked before anything runs reads no more of it."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 256}))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file({"weight": np.zeros((4, 4), dtype=np.float32)}, folder / "model.safetensors")
    return folder


@pytest.fixture
def refused(readbench: Callable[..., Any], model: Path, tmp_path: Path) -> Refused:
    """Runs `readbench run` with a mistake in it, holds what every mistake has in common, and returns the line."""

    def call(*arguments: object, code: int = 2, out: Path | None = None) -> str:
        target = tmp_path / "run" if out is None else out
        given = {str(a) for a in arguments}
        defaults = {"--suite": "reasoning", "--teacher": model, "--student": model, "--out": target}
        filled = [part for flag, value in defaults.items() if flag not in given for part in (flag, value)]
        outcome = readbench("run", *filled, *arguments)
        assert outcome.code == code
        assert outcome.out == ""
        assert outcome.err.startswith("error: ")
        assert outcome.err.count("\n") == 1, "one line"
        if out is None:
            assert not target.exists(), "no half-written run directory"
        return str(outcome.err)

    return call


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["--suite", "raisoning"], "unknown suite 'raisoning'; did you mean 'reasoning'?"),
        (["--allocators", "unyform"], "unknown allocator 'unyform'; did you mean 'uniform'?"),
        (["--objective", "stf"], "unknown objective 'stf'; did you mean 'sft'?"),
        (["--set", "training.learningrate=1"], "unknown setting 'training.learningrate'; did you mean 'learning_rate'?"),
        (["--set", "bugdet_tokens=5"], "unknown setting 'bugdet_tokens'; did you mean 'budgets'?"),
        (["--set", "params.read.kapa=1"], "allocator 'read' has no parameter 'kapa'; did you mean 'kappa'?"),
        (["--set", "params.nobody.x=1"], "params.nobody belongs to no plug-in of this run"),
    ],
)
def test_unknown_names_are_answered_with_the_near_one(refused: Refused, arguments: list[str], meant: str) -> None:
    assert meant in refused(*arguments)


def test_unknown_setting_in_the_config_file_names_the_file(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("num_interval: 3\n")
    line = refused("--config", file)
    assert "settings.yaml: unknown setting 'num_interval'; did you mean 'num_intervals'?" in line


def test_unknown_setting_in_the_environment_names_the_variable(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READBENCH_BUDGET_TOKEN", "3")
    assert "READBENCH_BUDGET_TOKEN: unknown setting 'budget_token'; did you mean 'budgets'?" in refused()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--budget", "0"], "give each number of tokens once, and at least 1"),
        (["--set", "budget_tokens=many"], "budgets.0: input should be a valid integer"),
        (["--set", "training.learning_rate=.nan"], "nan is not a finite number"),
        (["--set", "training.learning_rate=-1"], "training.learning_rate is -1.0; it must be in (0, 1]"),
        (["--set", "budget_tokens"], "is not of the form key=value"),
        (["--set", "device.x=1"], "device"),
        (["--workers", "-1"], "workers: input should be greater than or equal to 0"),
    ],
)
def test_wrong_values_name_the_setting_and_its_range(refused: Refused, arguments: list[str], said: str) -> None:
    assert said in refused(*arguments)


def test_budget_too_small_for_the_intervals_says_how_much_would_do(refused: Refused) -> None:
    line = refused("--budget", 500, "--intervals", 10)
    assert "a budget of 500 tokens is too small for 10 intervals" in line
    assert "give --budget " in line


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ("0", "seeds"),
        ("3,3", "seed 3 is given twice"),
        ("-1", "seeds"),
        ("1,-2", "seeds"),
        ("two", "seeds 'two' are not whole numbers"),
        ("", "seeds"),
    ],
)
def test_seeds_must_be_some_and_different(refused: Refused, seeds: str, said: str) -> None:
    assert said in refused("--seeds", seeds)


def test_allocator_given_twice(refused: Refused) -> None:
    assert "allocator uniform is given twice" in refused("--allocators", "uniform,uniform")


def test_out_that_holds_another_config_is_left_alone(refused: Refused, tmp_path: Path) -> None:
    out = tmp_path / "other"
    out.mkdir()
    keys = ("config", "environment", "origins", "provenance", "run", "suite", "trials")
    content = json.dumps(sealed({"schema": 1, **{key: {} for key in keys}, "trials": [], "identity": {"budget_tokens": 1}}))
    (out / "run.json").write_text(content)
    assert "holds a run with another config" in refused(out=out)
    assert [path.name for path in out.iterdir()] == ["run.json"]
    assert (out / "run.json").read_text() == content


def test_out_with_foreign_files_is_left_alone(refused: Refused, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.tex").write_text("x")
    assert "is not empty and no run directory" in refused(out=out)
    assert [path.name for path in out.iterdir()] == ["chapter.tex"]


def test_out_that_is_a_file_is_left_alone(refused: Refused, tmp_path: Path) -> None:
    out = tmp_path / "file"
    out.write_text("mine")
    assert "is a file" in refused(out=out)
    assert out.read_text() == "mine"


def test_out_that_cannot_be_made(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot make" in refused(out=tmp_path / "file" / "run")


def test_model_folder_that_is_missing(refused: Refused, tmp_path: Path) -> None:
    assert f"model folder {tmp_path / 'none'} does not exist" in refused("--student", tmp_path / "none")
    assert f"model folder {tmp_path / 'none'} does not exist" in refused("--teacher", tmp_path / "none")


def test_model_without_tokenizer(refused: Refused, model: Path, tmp_path: Path) -> None:
    broken = changed(model, tmp_path, remove="tokenizer.json")
    assert "has no tokenizer" in refused("--student", broken)
    assert "has no tokenizer" in refused("--teacher", broken)


def test_model_with_pickled_weights_only(refused: Refused, model: Path, tmp_path: Path) -> None:
    broken = changed(model, tmp_path, remove="model.safetensors")
    (broken / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    line = refused("--student", broken)
    assert "only pickled weights (pytorch_model.bin)" in line
    assert "convert them to safetensors" in line


def test_model_that_needs_remote_code(refused: Refused, model: Path, tmp_path: Path) -> None:
    broken = changed(model, tmp_path, config={"model_type": "homemade", "auto_map": {"AutoModel": "modeling.Mine"}})
    assert "needs code from its own folder" in refused("--student", broken)


def test_model_with_damaged_config(refused: Refused, model: Path, tmp_path: Path) -> None:
    broken = changed(model, tmp_path)
    (broken / "config.json").write_text("{")
    assert "config.json is not valid JSON" in refused("--student", broken)


def test_prompt_longer_than_the_context(refused: Refused, model: Path, tmp_path: Path) -> None:
    small = changed(model, tmp_path, config={"model_type": "llama", "max_position_embeddings": 8})
    assert "does not fit the student's context of 8" in refused("--student", small)


def test_device_that_is_not_there(refused: Refused) -> None:
    assert "cuda:99" in refused("--device", "cuda:99", code=5)


def test_device_that_does_not_exist(refused: Refused) -> None:
    assert "abacus" in refused("--device", "abacus")


def test_run_directory_that_is_none(readbench: Callable[..., Any], tmp_path: Path) -> None:
    for command in ("resume", "results", "compare"):
        outcome = readbench(command, tmp_path / "nothing")
        assert (outcome.code, outcome.out) == (2, "")
        assert (
            outcome.err
            == f"error: {tmp_path / 'nothing'} is not a run directory (it has no run.json); give a directory that `readbench run` made\n"
        )


def changed(model: Path, tmp_path: Path, *, remove: str = "", config: Mapping[str, Any] | None = None) -> Path:
    folder = tmp_path / "changed"
    shutil.copytree(model, folder)
    if remove:
        (folder / remove).unlink()
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_micro_batch_too_small_for_an_example_says_how_much_it_takes(refused: Refused) -> None:
    line = refused("--set", "training.micro_tokens=20")
    assert re.search(r"training.micro_tokens is 20, and an example may have (\d+) tokens; set it to \1 or more, or to 0", line)


@pytest.mark.parametrize("targets", ["nope", "q_proj,nope"])
def test_adapter_targets_that_match_nothing(targets: str, refused: Refused) -> None:
    line = refused("--student", "lab/student", "--set", "training.lora.rank=4", "--set", f"training.lora.targets={targets}")
    assert "training.lora.targets: the student has no matrix 'nope'; it has " in line
    assert "q_proj" in line


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("training.lora.rank=-1", "training.lora.rank is -1"),
        ("training.lora.alpha=0", "training.lora.alpha is 0"),
        ("training.lora.targets=", "training.lora.targets"),
        ("training.weights=float16", "training.weights"),
        ("training.optimizer=sgd", "training.optimizer"),
    ],
)
def test_settings_of_an_adapter_and_of_the_weights(setting: str, said: str, refused: Refused) -> None:
    assert said in refused("--set", setting)


@pytest.mark.parametrize(
    ("module", "setting", "extra"),
    [("peft", "training.lora.rank=4", "readbench[lora]"), ("bitsandbytes", "training.optimizer=adamw-8bit", "readbench[8bit]")],
)
def test_a_library_that_is_not_installed(module: str, setting: str, extra: str, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == module else found(name, *rest))
    line = refused("--set", setting)
    assert f"{module}, which is not installed" in line
    assert extra in line


def test_rounded_products_where_they_cannot_pay(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readbench.runs.planning.memory.has_bfloat16", lambda: False)
    assert "this CPU has no instructions for bfloat16 products" in refused("--set", "training.products=bfloat16", code=5)
    monkeypatch.setattr("readbench.runs.plan.uses_gpu", lambda _: True)
    assert "training.products is for CPUs" in refused("--set", "training.products=bfloat16")
