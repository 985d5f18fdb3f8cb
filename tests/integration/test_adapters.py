"""Trials that train an adapter: resumed ones are the same, what is saved is what was measured, and the adapter is a student."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from readbench.models.folder import resolve_model
from readbench.models.language_model import LanguageModel
from readbench.models.loading.headers import num_parameters
from readbench.runs.config import resolve
from readbench.runs.plan import plan
from readbench.students.schedule import LoraConfig
from readbench.suites.evaluation.evaluate import evaluate
from readbench.suites.grading import Grader
from readbench.suites.suite import load_suite
from readbench.trials.record.trial_file import TrialRecord, read_trial

from .conftest import Bench

Benches = Callable[..., Any]


def with_adapter(bench: Any) -> Any:
    training = replace(bench.base.training, learning_rate=1e-2, lora=LoraConfig(rank=8))
    bench.base = replace(bench.base, training=training)
    return bench


def outcome(record: TrialRecord) -> list[Any]:
    assert record.final is not None
    return [record.status, record.intervals, {**record.final, "seconds": 0}, record.states]


def checkpoint(folder: Path) -> Path:
    (file,) = (folder / "checkpoints").iterdir()
    return file


def test_a_stopped_trial_keeps_the_adapter_alone_and_goes_on_to_the_same_end(bench: Benches) -> None:
    whole = read_trial(with_adapter(bench("whole")).run())
    here = with_adapter(bench("stopped"))
    stopped = here.run(stop_after=2)
    kept = load_file(checkpoint(stopped))
    assert all("lora_" in name for name in kept)
    plain = bench("plain").run(stop_after=2)
    assert checkpoint(stopped).stat().st_size < checkpoint(plain).stat().st_size / 2
    assert sum(tensor.numel() for tensor in kept.values()) < 3 * num_parameters(resolve_model("lab/student"))
    assert outcome(read_trial(here.run())) == outcome(whole)


def test_what_is_saved_is_what_was_measured(bench: Benches, tmp_path: Path) -> None:
    folder = with_adapter(bench()).run()
    record, suite = read_trial(folder), load_suite("multilingual")
    assert record.final is not None
    model = LanguageModel.load(folder / "student", device="cpu")
    again = evaluate(model, suite, Grader({}), max_new_tokens=record.spec["max_new_tokens"])
    assert again.utility == record.final["utility"]


def test_its_adapter_is_a_student_of_another_run(bench: Benches, tmp_path: Path) -> None:
    adapter = with_adapter(bench("first")).run() / "student" / "adapter"
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == "lab/student"
    flags = {"allocators": "uniform", "seeds": "1", "budget_tokens": 9000, "num_intervals": 3, "num_probes": 9, "num_dev": 9}
    (spec,) = plan(resolve("multilingual", environment={}, flags={**flags, "student": str(adapter)})).trials
    here = bench("plain")
    assert spec.student_fingerprint != here.base.student_fingerprint
    adapted, plain = read_trial(Bench(tmp_path / "adapted", spec).run(stop_after=1)), read_trial(here.run(stop_after=1))
    assert adapted.start is not None
    assert plain.start is not None
    assert adapted.start["loss"] != pytest.approx(plain.start["loss"])
