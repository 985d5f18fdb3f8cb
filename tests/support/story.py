"""A run of two trials and two intervals, as events and as results."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from readbench.api import Recorder, RunInfo, TrialInfo
from readbench.trials.events import Event
from readbench.trials.record.interval import Interval, IntervalTokens
from readbench.views.trackers.following import Ending, Following
from readbench.views.trackers.progress import Progress
from support.results import parsed_trial
from support.results import trial as small_trial

CAPABILITIES = ("math", "code")
TRIALS = {"a" * 16: ("read", 0), "b" * 16: ("uniform", 0)}


def interval(number: int, offset: float = 0.0) -> Interval:
    """An interval of 1000 charged tokens in which code is not taught."""
    return Interval(
        interval=number,
        requested={"math": 1.0, "code": 0.0},
        allocation={"math": 1.0, "code": 0.0},
        examples={"math": 5, "code": 0},
        tokens=IntervalTokens(generated=100, trained=900, probe=10, dev=5),
        profile={"math": 0.25 + number / 4 + offset, "code": 0.125},
        exact_match={"math": 0.5, "code": 0.0},
        dev_utility=0.5 + number / 8,
        train_loss={"math": 1.0 / (number + 1), "code": None},
        reward=0.0625,
        epsilon=0.01,
    )


class Story:
    """A run's events, and its folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.run = RunInfo(
            folder=folder,
            suite="tiny",
            config={"seeds": [0], "budget_tokens": 2000, "training": {"learning_rate": 5e-4}},
            trials={
                id_: TrialInfo(
                    id=id_,
                    allocator=name,
                    objective="sft",
                    budget_tokens=2000,
                    seed=seed,
                    params={"kappa": 0.5},
                    name=f"{name}-s{seed}",
                )
                for id_, (name, seed) in TRIALS.items()
            },
        )

    def event(self, trial: str, number: int) -> Event:
        """An interval's event, 0-based as in its record."""
        allocator, seed = TRIALS[trial]
        return Event(
            kind="interval",
            trial=trial,
            allocator=allocator,
            seed=seed,
            interval=number + 1,
            charged_tokens=1000 * (number + 1),
            done=interval(number),
        )

    def ending(self, *, intervals: int = 2, status: Mapping[str, str] | None = None) -> Ending:
        """The end of the run; its trials are complete unless `status` says otherwise."""
        trials = []
        for name, (allocator, seed) in TRIALS.items():
            state = (status or {}).get(name, "complete")
            trial = small_trial(allocator, seed, 0.75) | {"id": name, "status": state}
            trials.append(replace(parsed_trial(trial), intervals=tuple(interval(number) for number in range(intervals))))
        file = self.run.folder / "results.json"
        file.write_text("{}")
        return Ending(trials=tuple(trials), file=file)

    def follow(self, name: str, recorder: Recorder) -> Following:
        """A follower of the run with this recorder, in this process."""
        return Following(recorder, self.run, Progress(self.run.folder / "trackers" / f"{name}.json"))

    def tell(self, name: str, make: Callable[[], Recorder]) -> None:
        """A run that is stopped in its first trial and resumed: what two processes tell a sink."""
        first, second = TRIALS
        following = self.follow(name, make())
        following.observe(self.event(first, 0))
        following.conclude(None)
        following = self.follow(name, make())
        for event in (self.event(first, 1), self.event(second, 0), self.event(second, 1)):
            following.observe(event)
        following.conclude(self.ending())
