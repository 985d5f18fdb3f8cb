"""TensorBoard for real: event files are written and read back with its own reader."""

import subprocess
import sys
from typing import Any

import pytest

pytest.importorskip("tensorboard")


def test_a_trials_scalars_are_read_back_over_charged_tokens(story: Any) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from readbench.views.trackers.recorders.tensorboard import TensorboardRecorder

    story.tell("tensorboard", TensorboardRecorder)
    folder = story.run.folder / "tensorboard"
    assert sorted(path.name for path in folder.iterdir()) == ["read-s0", "uniform-s0"]
    trial = EventAccumulator(str(folder / "read-s0")).Reload()
    assert [(event.step, event.value) for event in trial.Scalars("profile/math")] == [(1000, 0.25), (2000, 0.5)]
    assert [(event.step, event.value) for event in trial.Scalars("train_loss/math")] == [(1000, 1.0), (2000, 0.5)]
    assert [(event.step, event.value) for event in trial.Scalars("utility")] == [(2000, 0.75)]
    assert "train_loss/code" not in trial.Tags()["scalars"]


def test_writing_event_files_needs_neither_torch_nor_tensorflow() -> None:
    code = (
        "import sys; from readbench.views.trackers.recorders.tensorboard import TensorboardRecorder; TensorboardRecorder()\n"
        "heavy = {'torch', 'tensorflow'} & set(sys.modules)\n"
        "sys.exit(f'imported: {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
