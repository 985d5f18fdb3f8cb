"""Run as a process of its own, with the shim preloaded: forks a child for every trial that it is asked to run.

The child runs a real trial, with real threads and files, of a student of a few thousand weights; it inherits the imported
torch, so that a trial takes a fraction of a second. Reads orders from standard input, one JSON object a line, and answers
each with one: how the child ended, how many intervals it was told of, how many file-changing calls it made.
"""

import ctypes
import dataclasses
import json
import mmap
import os
import struct
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch

from readbench.base.errors import ReadbenchError
from readbench.runs.executors.base import WorkerConfig
from readbench.runs.executors.worker import Worker
from readbench.runs.studies.lab import write_blank
from readbench.suites.suite import load_suite
from readbench.teachers.local import LocalTeacher
from readbench.teachers.panel import Panel
from readbench.teachers.responses import ResponseCache
from readbench.trials.briefing import Briefing
from readbench.trials.events import Event
from readbench.trials.spec import TrialSpec
from support.suites import suite_text, write_suite
from support.trials import TINY, Canned, spec_of

SUITE = suite_text(name="tiny", math="source: lab.math, weight: 3", code="source: lab.code, weight: 1")
BRIEFING = Briefing(requirement=np.array([0.75, 0.25]), teacher_profile=np.array([0.9, 0.8]))


class Stand:
    """The parent: everything that a trial needs, loaded once."""

    def __init__(self, folder: Path) -> None:
        torch.set_num_threads(1)
        suite, student = folder / "suite", folder / "student"
        write_suite(suite, SUITE, test=[{"prompt": f"{n}+{n}=?", "answer": f"{n + n}"} for n in range(4)])
        write_blank(student, TINY)
        self.shim = ctypes.CDLL(None)
        self.shim.shim_count.restype = ctypes.c_long
        self.told = mmap.mmap(-1, 16)  # shared with the children: intervals told, calls counted
        self.spec = spec_of(allocator="read", suite=str(suite), suite_content=load_suite(str(suite)).content_hash(), student=str(student))
        self.worker = Worker(WorkerConfig(run_dir=folder, device="cpu", shared=self.spec))
        (teacher,) = self.worker._panel.teachers
        assert isinstance(teacher, LocalTeacher)
        teacher.model.network.eval()  # loaded here, once for all children

    def answer(self, order: dict[str, Any]) -> dict[str, Any]:
        self.told[:] = bytes(16)
        spec = dataclasses.replace(self.spec, **order.get("spec", {}))
        child = os.fork()
        if child == 0:
            os._exit(self.trial(order, spec))
        _, status = os.waitpid(child, 0)
        told, calls = struct.unpack("qq", self.told[:])
        return {"status": os.waitstatus_to_exitcode(status), "told": told, "calls": calls, "id": spec.id}

    def trial(self, order: dict[str, Any], spec: TrialSpec) -> int:
        run_dir = Path(order["run_dir"])
        self.worker._config = dataclasses.replace(self.worker._config, run_dir=run_dir)
        serving = self.worker._panel.serving
        self.worker._setting.teachers = Panel([Canned()], serving, ResponseCache(run_dir / "responses.sqlite"))
        for patch in order.get("patches", ()):
            exec(patch, {})  # noqa: S102 - the test's own code
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if "log" in order else -1
        os.dup2(os.open(order.get("errors", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 2)
        intervals = 0

        def observe(event: Event) -> None:
            nonlocal intervals
            if event.kind in ("interval", "finished"):
                intervals += event.kind == "interval"
                self.told[:8] = struct.pack("q", intervals)
                if log >= 0:
                    self.shim.shim_mark()

        mode = ("watch", "kill", "tear", "fail once", "fail on").index(order.get("mode", "watch"))
        self.shim.shim_arm(str(run_dir).encode(), ctypes.c_long(order.get("at", 0)), mode, order.get("errno", 0), log)
        try:
            self.worker.run(spec, BRIEFING, observe, lambda: intervals >= order.get("stop_after", 10**9))
        except ReadbenchError as error:
            print(error, file=sys.stderr, flush=True)
            return error.exit_code
        except BaseException:
            traceback.print_exc()
            return 99
        finally:
            self.told[8:] = struct.pack("q", self.shim.shim_count())
        return 0


def main() -> None:
    np.random.seed(0)  # noqa: NPY002 - what a trial must not depend on
    stand = Stand(Path(sys.argv[1]))
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(stand.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
