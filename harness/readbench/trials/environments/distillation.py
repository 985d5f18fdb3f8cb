"""A trial at work: its allocator, student, accounts and questions, as made or as they were after the last commit."""

import functools
from collections.abc import Callable

import numpy as np
import safetensors.torch

from readbench._core import Ledger, Scheduler
from readbench.api import Allocator, Feedback, Problem, Vector
from readbench.base.errors import TrialFailure
from readbench.base.plugins import foreign, make_allocator
from readbench.base.seeds import derive_seed
from readbench.students.guarded import make_objective
from readbench.students.student import Student
from readbench.suites.probes import Profile, measure
from readbench.suites.prompts import PromptQueue
from readbench.trials.feedback import from_record, frozen
from readbench.trials.record.store import TrialState, TrialStore
from readbench.trials.resources import Setting
from readbench.trials.spec import TrialSpec
from readbench.trials.stopwatch import Stopwatch
from readbench.trials.supervision import Supply

RECENT = 8  # intervals that an allocator sees in an observation


class RunningTrial:
    """The parts of a running trial, as they were made or as they were after the last committed interval."""

    def __init__(self, spec: TrialSpec, setting: Setting, store: TrialStore, teacher_profile: Vector | None) -> None:
        self.spec = spec
        self.setting = setting
        self.store = store
        self.watch = Stopwatch()
        num_capabilities = len(setting.suite.capabilities)
        problem = Problem(
            capabilities=setting.suite.capabilities,
            requirement=frozen(setting.suite.requirement),
            teacher_profile=None if teacher_profile is None else frozen(teacher_profile),
            budget_tokens=spec.budget_tokens,
            num_intervals=spec.num_intervals,
        )
        with self.watch.phase("allocator"), foreign("allocator", spec.allocator):
            seed = derive_seed("allocator", spec.seed)
            self.allocator: Allocator = make_allocator(spec.allocator, problem, seed, **spec.params)
        with self.watch.phase("train"):
            objective = make_objective(spec.objective, **spec.objective_params)
            self.student = Student.load(
                setting.student_path, training=spec.training, objective=objective, device=setting.device, chat=spec.student_chat
            )
        self.ledger = Ledger(spec.budget_tokens, num_capabilities)
        self.scheduler = Scheduler(num_capabilities)
        self.queue = PromptQueue(setting.streams(spec.seed), num_capabilities)
        self.supply = Supply(
            self.queue,
            setting.teacher,
            functools.partial(setting.encode, self.student.model),
            num_capabilities=num_capabilities,
            max_new_tokens=spec.max_new_tokens,
        )
        self.recent: tuple[Feedback, ...] = ()  # oldest first, at most RECENT
        self.next_interval = 0
        self.profile = self._first_profile()
        self._go_on()

    def _first_profile(self) -> Profile:
        start = self.store.start()
        if start is not None:
            return Profile.from_scores(start["probe_scores"], exact_match=start["exact_match"])
        profile = self.measure_probes()
        dev_utility, dev_tokens = self.measure_dev()
        start = {
            "profile": profile.score.tolist(),
            "exact_match": profile.exact_match.tolist(),
            "dev_utility": dev_utility,
            "tokens": {"probe": profile.tokens, "dev": dev_tokens},
            "seconds": self.watch.lap(),
        }
        self.store.begin(start, [scores.tolist() for scores in profile.scores])
        return profile

    def _go_on(self) -> None:
        state = self.store.state()
        if state is None:
            return
        self.next_interval = state.interval + 1
        with foreign("allocator", self.spec.allocator):
            self.allocator.restore(state.allocator)
        self.scheduler = Scheduler.from_bytes(state.scheduler)
        self.ledger = Ledger.from_bytes(state.ledger)
        self.queue.restore(state.prompts)
        self.student.restore(safetensors.torch.load(state.checkpoint))
        records = self.store.intervals()
        self.recent = tuple(from_record(record) for record in records[-RECENT:])
        self.profile = Profile.from_scores(state.probe_scores, exact_match=records[-1]["exact_match"])

    def remember(self, feedback: Feedback) -> None:
        """The allocator sees it in its next observations."""
        self.recent = (*self.recent, feedback)[-RECENT:]

    def measure_probes(self) -> Profile:
        """The profile of the student as it is now."""
        with self.watch.phase("probe"):
            profile = measure(self.student.model, self.setting.encoded("probe", self.student.model))
        if not np.isfinite(profile.score).all():
            raise TrialFailure("a probe's score is not finite")
        return profile

    def measure_dev(self) -> tuple[float, int]:
        """r·s on the dev questions of the required capabilities, and the tokens it took."""
        with self.watch.phase("probe"):
            profile = measure(self.student.model, self.setting.encoded("dev", self.student.model))
        return float(self.setting.suite.requirement @ profile.score), profile.tokens

    def state(self, interval: int) -> Callable[[], TrialState]:
        """Everything needed to resume after the interval: copied now, serialised by the call, beside the next interval."""
        with foreign("allocator", self.spec.allocator):
            allocator_state = bytes(self.allocator.state())
        tensors = self.student.state()
        copied = functools.partial(
            TrialState,
            interval=interval,
            allocator=allocator_state,
            scheduler=self.scheduler.to_bytes(),
            ledger=self.ledger.to_bytes(),
            prompts=self.queue.state(),
            probe_scores=[scores.tolist() for scores in self.profile.scores],
        )
        return lambda: copied(checkpoint=safetensors.torch.save(tensors))
