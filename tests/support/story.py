"""A run of two trials and two intervals, as events and as results."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from readbench.api import Recorder, RunInfo, TrialInfo
from readbench.trials.events import Event
from readbench.views.trackers.following import Following
from readbench.views.trackers.progress import Progress

CAPABILITIES = ("math", "code")
TRIALS = {"a" * 16: ("read", 0), "b" * 16: ("uniform", 0)}
SECONDS = dict.fromkeys(("total", "teacher", "train", "probe", "eval", "allocator"), 1.5)


def record(interval: int, offset: float = 0.0) -> dict[str, Any]:
    """An interval of 1000 charged tokens in which code is not taught."""
    return {
        "interval": interval,
        "requested": {"math": 1.0, "code": 0.0},
        "allocation": {"math": 1.0, "code": 0.0},
        "examples": {"math": 5, "code": 0},
        "tokens": {"generated": 100, "trained": 900, "probe": 10, "dev": 5},
        "profile": {"math": 0.25 + interval / 4 + offset, "code": 0.125},
        "exact_match": {"math": 0.5, "code": 0.0},
        "dev_utility": 0.5 + interval / 8,
        "train_loss": {"math": 1.0 / (interval + 1), "code": None},
        "reward": 0.0625,
        "epsilon": 0.01,
    }


class Story:
    """What a run tells, in its folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.run = RunInfo(
            folder=folder,
            suite="tiny",
            config={"seeds": [0], "budget_tokens": 2000, "training": {"learning_rate": 5e-4}},
            trials={id_: TrialInfo(id=id_, allocator=name, seed=seed, params={"kappa": 0.5}) for id_, (name, seed) in TRIALS.items()},
        )

    def event(self, trial: str, interval: int) -> Event:
        """An interval's event, 0-based as in its record."""
        allocator, seed = TRIALS[trial]
        return Event(
            kind="interval",
            trial=trial,
            allocator=allocator,
            seed=seed,
            interval=interval + 1,
            charged_tokens=1000 * (interval + 1),
            record=record(interval),
        )

    def results(self, *, intervals: int = 2, status: Mapping[str, str] | None = None) -> Path:
        """results.json with trials that are complete, or what `status` says of them."""
        trials = []
        for name, (allocator, seed) in TRIALS.items():
            state = (status or {}).get(name, "complete")
            complete = state == "complete"
            trials.append(
                {
                    "id": name,
                    "allocator": allocator,
                    "seed": seed,
                    "status": state,
                    "intervals": [record(i) for i in range(intervals)],
                    "metrics": {"utility": 0.75, "waste": 0.5} if complete else None,
                    "tokens": {"generated": 200, "trained": 1800} if complete else None,
                    "seconds": SECONDS if complete else None,
                }
            )
        path = self.run.folder / "results.json"
        path.write_text(json.dumps({"trials": trials}))
        return path

    def follow(self, name: str, recorder: Recorder) -> Following:
        """A recorder that follows, in this process."""
        return Following(recorder, self.run, Progress(self.run.folder / "trackers" / f"{name}.json"))

    def tell(self, name: str, make: Callable[[], Recorder]) -> None:
        """A run that is stopped in the midst of its first trial and goes on: what two processes tell a sink."""
        first, second = TRIALS
        following = self.follow(name, make())
        following.observe(self.event(first, 0))
        following.conclude(None)
        following = self.follow(name, make())
        for event in (self.event(first, 1), self.event(second, 0), self.event(second, 1)):
            following.observe(event)
        following.conclude(self.results())
