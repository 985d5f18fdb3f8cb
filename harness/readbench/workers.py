"""What a worker process does: measures the models, runs trials, with one torch thread (two trials at once beat two threads).

Imported where the models are: the parent process never imports torch.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from readbench._core import instruction_set
from readbench.config import teacher_reference
from readbench.evaluation import evaluate
from readbench.models import resolve_device, resolve_model
from readbench.plugins import make
from readbench.probes import measure
from readbench.setting import Setting
from readbench.spec import Event, TrialSpec, WorkerConfig
from readbench.students import Student
from readbench.suites import load_suite
from readbench.teachers import CachedTeacher, ResponseCache
from readbench.trial import Interrupted, run_trial


class Worker:
    """One process's models and questions, made once."""

    def __init__(self, config: WorkerConfig) -> None:
        torch.set_num_threads(1)
        self._config = config
        spec = config.shared
        self._device = resolve_device(config.device)
        name, model = teacher_reference(spec.teacher)
        self._setting = Setting(
            load_suite(spec.suite),
            student_path=resolve_model(spec.student),
            teacher=CachedTeacher(
                make("teacher", name, model, self._device, **spec.teacher_params), ResponseCache(config.run_dir / "responses.sqlite")
            ),
            device=self._device,
            num_probes=spec.num_probes,
            num_dev=spec.num_dev,
        )

    def _load(self, path: Path) -> Student:
        spec = self._config.shared
        objective = make("objective", spec.objective, **spec.objective_params)
        return Student.load(path, training=spec.training, objective=objective, device=self._device)

    def measure_teacher(self) -> dict[str, Any]:
        """The teacher's profile on the probes, where it is a local model: {"profile": (K,) or None, "tokens"}."""
        name, model = teacher_reference(self._config.shared.teacher)
        if name != "hf":
            return {"profile": None, "tokens": 0}
        teacher = self._load(resolve_model(model))
        encoded = [[teacher.encode(q.prompt, q.answer) for q in each] for each in self._setting.questions["probe"]]
        profile = measure(teacher, encoded)
        return {"profile": profile.score.tolist(), "tokens": profile.tokens}

    def measure_start(self) -> dict[str, Any]:
        """The untrained student on the test set: {"utility", "questions", "tokens"}."""
        evaluation = evaluate(self._load(self._setting.student_path), self._setting.suite.folder, self._setting.suite.config.test.task)
        return {"utility": evaluation.utility, "questions": evaluation.n, "tokens": evaluation.tokens}

    def measure_fingerprint(self) -> dict[str, Any]:
        """What the bits of a result depend on besides the trial's spec."""
        on_gpu = self._device.startswith("cuda")
        return {
            "torch": torch.__version__,
            "cpu": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
            "instructions": instruction_set(),  # of the bandit's kernels
            "device": torch.cuda.get_device_name(self._device) if on_gpu else "cpu",
            "dtype": "bfloat16 autocast over float32" if on_gpu else "float32",
            "optimizer": "fused AdamW",
        }

    def run(
        self, spec: TrialSpec, teacher_profile: list[float] | None, observe: Callable[[Event], None], stopped: Callable[[], bool]
    ) -> bool:
        """Runs a trial; False where it was asked to stop before its end."""
        try:
            run_trial(
                spec,
                self._config.run_dir / "trials" / spec.id,
                self._setting,
                teacher_profile=None if teacher_profile is None else np.array(teacher_profile),
                observe=observe,
                stopped=stopped,
            )
        except Interrupted:
            return False
        return True
