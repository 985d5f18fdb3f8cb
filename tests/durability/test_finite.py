"""P8: what is not finite stops the trial as failed, never enters the bandit, and is never written down."""

import json
from pathlib import Path

import pytest

from readbench.trials.record.trial_file import read_trial

from .conftest import Stand, outcome

SPY = """
import math, readbench.allocators.read as r
sound = r.ReAD.update
def update(self, feedback):
    seen = [feedback.reward, *feedback.profile_before, *feedback.profile_after]
    if not all(map(math.isfinite, seen)):
        raise SystemExit("the bandit was told something that is not finite")
    sound(self, feedback)
r.ReAD.update = update
"""
SOURCES = {
    "a loss": """
import readbench.students.objectives.sft as o
from readbench.api import Loss
sound, calls = o.CrossEntropy.loss, []
def damaged(self, batch):
    calls.append(1)
    found, factor = sound(self, batch), float("{value}") if len(calls) > {step} else 1.0
    return Loss(value=found.value * factor, tokens=found.tokens * factor)
o.CrossEntropy.loss = damaged
""",
    "a gradient": """
import readbench.students.objectives.sft as o
sound, calls = o.CrossEntropy.loss, []
def damaged(self, batch):
    calls.append(1)
    if len(calls) > {step}:
        batch.logits.register_hook(lambda gradient: gradient * float("{value}"))
    return sound(self, batch)
o.CrossEntropy.loss = damaged
""",
    "a score": """
import dataclasses, readbench.trials.environments.resources as r
sound, calls = r.Setting.profile, []
def measure(setting, model):
    calls.append(1)
    profile = sound(setting, model)
    return dataclasses.replace(profile, score=profile.score * float("{value}")) if len(calls) > {step} else profile
r.Setting.profile = measure
""",
    "a reward": """
import readbench.trials.feedback as r
sound, calls = r.reward, []
def reward(*values, **options):
    calls.append(1)
    return float("{value}") if len(calls) > {step} - 1 else sound(*values, **options)
r.reward = reward
""",
    "a utility": """
import dataclasses, readbench.trials.environments.distillation as t
sound = t.evaluate
t.evaluate = lambda *values, **more: dataclasses.replace(sound(*values, **more), utility=float("{value}"))
""",
}


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("source", SOURCES)
def test_what_is_not_finite_fails_the_trial_and_a_mended_one_ends_as_if_nothing_had_been(
    stand: Stand, tmp_path: Path, source: str, value: str
) -> None:
    patches = [SPY, SOURCES[source].format(value=value, step=3 if source == "a score" else 2)]
    failed = stand.trial(tmp_path / "run", patches=patches)
    assert failed.status == 0, failed.error  # the worker goes on with the next trial
    record = read_trial(failed.folder)
    assert record.status == "failed"
    assert record.failure is not None
    assert "not finite" in record.failure
    json.dumps(record.intervals, allow_nan=False)
    mended = stand.trial(tmp_path / "run")
    assert mended.status == 0, mended.error
    assert outcome(mended.folder) == outcome(stand.trial(tmp_path / "whole").folder)
