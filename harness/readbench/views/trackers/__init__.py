"""Optional sinks for what a run measures: experiment trackers of other makers, each behind an extra, all off by default.

`recorder` holds the one protocol that every sink follows, `values` the names and numbers that all of them are given. Nothing flows back:
a sink lives in a process of its own (`sink`), and one that fails is dropped while the run continues.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from readbench.base.errors import SurroundingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracker:
    """Where a sink's class stands, and the modules that its extra brings."""

    recorder: str  # "module:class"
    needs: tuple[str, ...]


TRACKERS = {
    "mlflow": Tracker(recorder="readbench.views.trackers.mlflow:MlflowRecorder", needs=("mlflow", "sqlalchemy", "alembic")),
    "tensorboard": Tracker(recorder="readbench.views.trackers.tensorboard:TensorboardRecorder", needs=("tensorboard",)),
    "trackio": Tracker(recorder="readbench.views.trackers.trackio:TrackioRecorder", needs=("trackio",)),
    "wandb": Tracker(recorder="readbench.views.trackers.wandb:WandbRecorder", needs=("wandb",)),
}


def check_installed(names: Sequence[str]) -> None:
    """SurroundingError where a tracker's library is missing: before a run begins, not in the middle of it."""
    for name in names:
        missing = [module for module in TRACKERS[name].needs if find_spec(module) is None]
        if missing:
            raise SurroundingError(f"tracker {name!r} needs {', '.join(missing)}", hint=f"pip install 'readbench[{name}]'")
