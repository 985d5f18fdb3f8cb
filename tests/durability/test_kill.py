"""P1: kill -9 anywhere and resume, maybe killed again: the same result, bit for bit, and nothing acknowledged is lost."""

import random
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from readbench.trials.record.trial_file import find_trial

from .conftest import OWN_ANSWERS, Ended, Stand, outcome

SAMPLED = 16  # kill points of the default run
KINDS: dict[str, dict[str, Any]] = {"the teacher's answers": {}, "its own": {"spec": OWN_ANSWERS}}


@pytest.fixture(scope="module")
def whole(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The trial that nothing disturbed."""
    ended = stand.trial(tmp_path_factory.mktemp("whole") / "run")
    assert ended.status == 0, ended.error
    return ended


def committed(folder: Path) -> int:
    record = find_trial(folder)
    return 0 if record is None else len(record.intervals)


def survives(stand: Stand, run_dir: Path, whole: Ended, *kills: int, mode: str = "kill", **order: Any) -> bool:
    """Whether the first kill struck; each kill but the first strikes the resume before."""
    struck = True
    for number, at in enumerate(kills):
        ended = stand.trial(run_dir, mode=mode, at=at, **order)
        assert ended.status in (-signal.SIGKILL, 0), ended.error
        assert committed(ended.folder) >= ended.told  # nothing acknowledged is lost
        struck = struck and (number > 0 or ended.status != 0)
    resumed = stand.trial(run_dir, **order)
    assert resumed.status == 0, resumed.error
    assert outcome(resumed.folder) == outcome(whole.folder)
    return struck


def test_a_trial_killed_at_a_call_that_changes_a_file_is_resumed_to_the_same_result(stand: Stand, whole: Ended, tmp_path: Path) -> None:
    for at in sorted(random.Random(0).sample(range(1, whole.calls + 1), SAMPLED)):
        assert survives(stand, tmp_path / f"at-{at}", whole, at)


@pytest.fixture(scope="module")
def wholes(stand: Stand, whole: Ended, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """By what the student learns from."""
    own = stand.trial(tmp_path_factory.mktemp("own") / "run", **KINDS["its own"])
    assert own.status == 0, own.error
    return dict(zip(KINDS, (whole, own), strict=True))


def test_so_is_one_whose_student_learns_from_its_own_answers(stand: Stand, wholes: dict[str, Ended], tmp_path: Path) -> None:
    own = wholes["its own"]
    for at in sorted(random.Random(3).sample(range(1, own.calls + 1), SAMPLED // 3)):
        assert survives(stand, tmp_path / f"at-{at}", own, at, **KINDS["its own"])


def test_a_write_that_was_torn_in_two_and_a_resume_that_is_killed_again_are_survived(stand: Stand, whole: Ended, tmp_path: Path) -> None:
    rng = random.Random(1)
    for number in range(SAMPLED // 4):
        kills = [rng.randint(1, whole.calls), *(rng.randint(1, 60) for _ in range(2))]
        assert survives(stand, tmp_path / f"{number}", whole, *kills, mode="tear")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["kill", "tear"])
def test_every_call(
    stand: Stand, wholes: dict[str, Ended], tmp_path: Path, mode: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at, whole = 0, wholes[kind]
    while True:
        at += 1
        run_dir = tmp_path / f"{at}"
        if not survives(stand, run_dir, whole, at, mode=mode, **KINDS[kind]):
            break
        shutil.rmtree(run_dir)
    assert at > 0.95 * whole.calls  # the threads of a trial do not meet at the same call each time
    with capsys.disabled():
        print(f"\n{mode}, {kind}: {at - 1} kill points, 0 lost intervals, 0 differing results")


@pytest.mark.slow
def test_every_fifth_call_of_a_resume(stand: Stand, whole: Ended, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, tried, struck = random.Random(2), 0, 0
    for first in range(1, whole.calls, 5):
        struck += survives(stand, tmp_path / f"{first}", whole, first, rng.randint(1, 80), rng.randint(1, 80))
        tried += 1
    assert struck > 0.95 * tried  # the last calls may not come: the threads of a trial do not meet at the same call each time
    with capsys.disabled():
        print(f"\n{tried} trials killed three times, 0 lost intervals, 0 differing results")
