"""The proofs can fail: of everything that a trial saves to go on, nothing may be dropped without the equality tests seeing it."""

from pathlib import Path
from typing import Any

import pytest

from .conftest import OWN_ANSWERS, Ended, Stand, outcome

STOPS = 2  # the trial is stopped after its first and after its second interval
STATE = """
import dataclasses, safetensors.torch, torch
from readbench._core import Ledger, Scheduler
from readbench.trials.record.store import TrialStore
sound = TrialStore.state
def state(self):
    found = sound(self)
    return None if found is None else dataclasses.replace(found, **changed(found))
TrialStore.state = state
def tensors(found, change):
    loaded = safetensors.torch.load(found.checkpoint)
    return {"checkpoint": safetensors.torch.save({name: change(name, value) for name, value in loaded.items()})}
"""
DROPPED = {
    "the bandit with its random numbers": "import readbench.allocators.read as r\nr.ReAD.restore = lambda self, state: None",
    "the deficits": STATE + "changed = lambda found: {'scheduler': Scheduler(2).to_bytes()}",
    "the ledger": STATE + "changed = lambda found: {'ledger': Ledger(1500, 2).to_bytes()}",
    "the places in the streams": STATE + "changed = lambda found: {'prompts': found.prompts | {'positions': [[0] * 3] * 2}}",
    "the curriculum's credits": STATE + "changed = lambda found: {'prompts': found.prompts | {'credits': [[0.0] * 3] * 2}}",
    "the probes' scores": STATE + "changed = lambda found: {'probe_scores': [[0.0] * len(s) for s in found.probe_scores]}",
    "the weights": STATE
    + "changed = lambda found: tensors(found, lambda name, value: value * 0.99 if name.startswith('weight:') else value)",
    "the first moments": STATE
    + "changed = lambda found: tensors(found, lambda name, value: value * 0 if name.startswith('exp_avg:') else value)",
    "the second moments": STATE
    + "changed = lambda found: tensors(found, lambda name, value: value * 0 if name.startswith('exp_avg_sq:') else value)",
    "the step counters": STATE
    + "changed = lambda found: tensors(found, lambda name, value: value * 0 if name.startswith('step:') else value)",
    "the seed of the interval": "import readbench.trials.environments.teaching as t\nimport itertools\ncount = itertools.count()\n"
    "t.derive_seed = lambda *parts: next(count)",
}
OWN_DROPPED = {name: DROPPED[name] for name in ("the deficits", "the ledger", "the places in the streams", "the weights")} | {
    "the seeds of the answers": "import readbench.trials.environments.rollouts.supply as t\nimport itertools\ncount = itertools.count()\n"
    "t.derive_seed = lambda *parts: next(count)",
}


@pytest.fixture(scope="module")
def whole(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    ended = stand.trial(tmp_path_factory.mktemp("whole") / "run")
    assert ended.status == 0, ended.error
    return ended


@pytest.fixture(scope="module")
def whole_own(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Likewise of a student that learns from its own answers."""
    ended = stand.trial(tmp_path_factory.mktemp("whole") / "run", spec=OWN_ANSWERS)
    assert ended.status == 0, ended.error
    return ended


def in_parts(stand: Stand, run_dir: Path, *patches: str, **order: Any) -> Ended:
    for _ in range(STOPS):
        stand.trial(run_dir, stop_after=1, patches=patches, **order)
    return stand.trial(run_dir, patches=patches, **order)


def test_a_trial_stopped_after_each_interval_is_the_one_that_was_not(stand: Stand, whole: Ended, tmp_path: Path) -> None:
    assert outcome(in_parts(stand, tmp_path / "run").folder) == outcome(whole.folder)


def test_so_is_one_on_own_answers(stand: Stand, whole_own: Ended, tmp_path: Path) -> None:
    assert outcome(in_parts(stand, tmp_path / "run", spec=OWN_ANSWERS).folder) == outcome(whole_own.folder)


@pytest.mark.parametrize("item", OWN_DROPPED)
def test_an_item_dropped_between_own_answers_is_found(stand: Stand, whole_own: Ended, tmp_path: Path, item: str) -> None:
    ended = in_parts(stand, tmp_path / "run", OWN_DROPPED[item], spec=OWN_ANSWERS)
    assert ended.status != 0 or outcome(ended.folder) != outcome(whole_own.folder)


@pytest.mark.parametrize("item", DROPPED)
def test_a_dropped_item_is_found(stand: Stand, whole: Ended, tmp_path: Path, item: str) -> None:
    ended = in_parts(stand, tmp_path / "run", DROPPED[item])
    assert ended.status != 0 or outcome(ended.folder) != outcome(whole.folder)
