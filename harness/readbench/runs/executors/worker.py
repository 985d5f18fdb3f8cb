"""What a worker process does: measures the models, runs trials, with one torch thread (two trials at once beat two threads).

Only worker processes import it: the parent of a pool never imports torch.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from readbench.api import Response, Scored, Teacher, Vector
from readbench.base.errors import ConfigError
from readbench.base.plugins import foreign, make
from readbench.base.processes import part_from_bars
from readbench.models.folder import resolve_device, resolve_model
from readbench.models.language_model import LanguageModel
from readbench.models.ranks import ALONE, Ranks, own_device
from readbench.runs.executors.base import Observer, WorkerConfig, trial_name
from readbench.runs.executors.fingerprint import fingerprint
from readbench.runs.executors.told import ToldPanel
from readbench.runs.recorded import RecordedTeacher
from readbench.runs.references import only_remote, teacher_reference
from readbench.runs.studies.identifier import identified
from readbench.suites.evaluation.evaluate import evaluate
from readbench.suites.suite import load_suite
from readbench.teachers.chat import set_chat
from readbench.teachers.local import LocalTeacher
from readbench.teachers.naming import serving
from readbench.teachers.panel import Panel
from readbench.teachers.responses import ResponseCache
from readbench.teachers.spend.account import Account, is_paid
from readbench.teachers.spend.ledger import FILE, SpendLedger
from readbench.teachers.spend.prices import Limit, spend_limit
from readbench.trials.briefing import Briefing
from readbench.trials.environments.distillation import Distillation
from readbench.trials.environments.resources import Setting
from readbench.trials.loop import Interrupted, run_trial
from readbench.trials.record.shared import SharedStore
from readbench.trials.record.store import TrialStore
from readbench.trials.spec import TrialSpec


class Worker:
    """One process's models and questions, made once."""

    def __init__(
        self,
        config: WorkerConfig,
        *,
        responses: ResponseCache | None = None,
        open_ledger: Callable[[Limit], SpendLedger] | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        """Answers and spending are the run directory's, where others are not given."""
        torch.set_num_threads(1)
        part_from_bars()
        self._config = config
        spec = config.shared
        self._ranks = ranks
        self._device = own_device(resolve_device(config.device))
        suite, student_path = load_suite(spec.suite), resolve_model(spec.student)
        responses = responses or ResponseCache(config.run_dir / "responses.sqlite")
        open_ledger = open_ledger or functools.partial(_ledger, config.run_dir)
        references, serves = serving(spec.teacher, suite.capabilities)
        make_one = functools.partial(make_teacher, config, responses, open_ledger, device=self._device, student_path=student_path)
        self._panel = panel = Panel([make_one(reference) for reference in references], serves, responses)
        told = panel if ranks.count == 1 else ToldPanel(panel, ranks)
        self._setting_of = functools.cache(  # a run has two: its pilots have more probes
            lambda num_probes: Setting(
                suite,
                student_path=student_path,
                teachers=told,
                device=self._device,
                num_probes=num_probes,
                num_dev=spec.num_dev,
                max_new_tokens=spec.max_new_tokens,
                verifier_params=spec.verifier_params,
                reference_scores=lambda examples, temperature: ranks.told(
                    lambda: self._untrained.label_log_probabilities(examples, temperature=temperature)
                ),
                sampler=config.sampler,
                ranks=ranks,
            )
        )
        self._setting = self._setting_of(spec.num_probes)

    @functools.cached_property
    def _untrained(self) -> LanguageModel:
        """The reference of objectives that ask for one: held from the first time that it is asked."""
        return self._student()

    def _student(self) -> LanguageModel:
        spec, training = self._config.shared, self._config.shared.training
        return LanguageModel.load(
            self._setting.student_path,
            device=self._device,
            chat=spec.student_chat,
            weights=training.weights,
            products=training.products,
        )

    def _answers(self, model: LanguageModel) -> list[Response]:
        """The model's answers to the samples."""
        prompts = [question.prompt for question in self._setting.samples()]
        return model.answer(prompts, max_new_tokens=self._config.shared.max_new_tokens)

    def measure_teacher(self) -> dict[str, Any]:
        """The local teachers' profile on the probes and their answers to the samples: {"profile": (K,), "exact": (K,), "loss": (K,),
        "answers": (K,), "tokens"}; of each capability its own teacher's.

        A recorded teacher returns those of its run. Any other kind is not asked (it may cost money): with one in the panel, profile and
        answers are None.
        """
        teachers = self._panel.teachers
        if isinstance(teachers[0], RecordedTeacher):
            return teachers[0].measured()
        local = [teacher for teacher in teachers if isinstance(teacher, LocalTeacher)]
        if len(local) < len(teachers):
            return {"profile": None, "exact": None, "loss": None, "answers": None, "tokens": 0}
        references, _ = serving(self._config.shared.teacher, self._setting.suite.capabilities)
        measured = [self._measured(teacher.model, name) for teacher, name in zip(local, references, strict=True)]
        served = list(enumerate(self._panel.serving))
        kept = ("profile", "exact", "loss", "answers")
        own = {key: [measured[number][key][place] for place, number in served] for key in kept}
        return {**own, "tokens": sum(each["tokens"] for each in measured)}

    def _measured(self, teacher: LanguageModel, name: str) -> dict[str, Any]:
        """A local teacher on all probes and samples."""
        profile = self._setting.teacher_profile(teacher)
        if not np.isfinite(profile.score).all():
            raise ConfigError(f"teacher {name!r} has a score that is not finite", hint="its weights are damaged: give another --teacher")
        answers = self._answers(teacher)
        return {
            "profile": profile.score.tolist(),
            "exact": profile.exact_match.tolist(),
            "loss": profile.loss.tolist(),
            "answers": [answer.text for answer in answers],
            "tokens": profile.tokens + sum(answer.tokens for answer in answers),
        }

    def measure_start(self) -> dict[str, Any]:
        """The untrained student on the test set, and its answers: {"utility", "questions", "samples": (K,), "answers": (K,), "tokens"}."""
        student = self._student()
        evaluation = evaluate(student, self._setting.suite, self._setting.grader, max_new_tokens=self._config.shared.max_new_tokens)
        answers = self._answers(student)
        return {
            "utility": evaluation.utility,
            "questions": evaluation.n,
            "samples": [{"prompt": question.prompt, "answer": question.answer} for question in self._setting.samples()],
            "answers": [answer.text for answer in answers],
            "tokens": evaluation.tokens + sum(answer.tokens for answer in answers),
        }

    def identify(self) -> list[float]:
        """(K,) the requirement that the run's identifier reads from the suite's card."""
        weights: list[float] = identified(Path(self._config.shared.identifier), self._setting.suite).tolist()
        return weights

    @functools.cache  # noqa: B019 - a worker lives as long as its process
    def measure_fingerprint(self) -> dict[str, Any]:
        """What the bits of a result depend on besides the trial's spec."""
        found = fingerprint(self._device)
        return found if self._ranks.count == 1 else {**found, "ranks": self._ranks.count}

    def run(
        self, spec: TrialSpec, briefing: Briefing, observe: Observer, stopped: Callable[[], bool], *, folder: Path | None = None
    ) -> bool:
        """Runs a trial, whose record is in the run directory or in another folder; False if it was asked to stop before its end."""
        folder = folder or self._config.run_dir / trial_name(spec)
        setting = self._setting_of(spec.num_probes)
        try:
            run_trial(
                spec,
                folder,
                lambda spec: Distillation(spec, setting, briefing),
                observe=observe,
                stopped=stopped if self._ranks.count == 1 else lambda: self._ranks.agree(stopped()),
                open_store=TrialStore.open if self._ranks.count == 1 else functools.partial(SharedStore.open, self._ranks),
            )
        except Interrupted:
            return False
        return True


def _ledger(run_dir: Path, limit: Limit) -> SpendLedger:
    return SpendLedger(run_dir / FILE, limit=limit)


def make_teacher(
    config: WorkerConfig,
    responses: ResponseCache,
    open_ledger: Callable[[Limit], SpendLedger],
    reference: str,
    *,
    device: str,
    student_path: Path,
) -> Teacher:
    """One of the run's teachers, with an account of its spending if it costs money."""
    spec = config.shared
    name, model = teacher_reference(reference)
    params = spec.teacher_params if name == only_remote(spec.teacher) else {}
    with foreign("teacher", name, ConfigError):
        teacher: Teacher = make("teacher", name, model, device, **params)
        set_chat(teacher, name, spec.teacher_chat)
    if is_paid(teacher):
        fingerprint = teacher.fingerprint()

        def keep(answers: Mapping[str, Response], max_new_tokens: int) -> None:
            responses.put(fingerprint, answers, max_new_tokens=max_new_tokens)

        def keep_scores(scores: Mapping[Scored, Vector], k: int) -> None:
            responses.put_scores(fingerprint, scores, k)

        ledger = open_ledger(spend_limit(config.endpoint, teacher.model))
        teacher.open_account(
            Account(
                run_dir=config.run_dir,
                settings=config.endpoint,
                ledger=ledger,
                student_path=student_path,
                keep=keep,
                keep_scores=keep_scores,
            )
        )
    return teacher
