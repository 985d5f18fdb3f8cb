"""A sink's process: whatever a tracker's library prints, patches, hangs on or dies of stays in it.

The run only puts events into a queue that never fills. The process ends when it is told that the run is over, when its recorder raises
(one line about it goes back), or when the run's process is gone.
"""

import multiprocessing
import os
import queue
import re
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.queues import Queue

from readbench.api import RunInfo
from readbench.base import processes
from readbench.base.plugins import make
from readbench.trials.events import Event
from readbench.views.trackers.following import Ending, Following
from readbench.views.trackers.progress import Progress

_LISTEN_SECONDS = 1.0  # between two looks at whether the run still lives
_EXIT_SECONDS = 5.0  # for a library's own work at the exit of a process that has said it is done
_MAX_MESSAGE = 300
_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD")

Message = Event | Ending | None  # None: the run was stopped


class Sink:
    """A recorder at work beside the run."""

    def __init__(self, name: str, run: RunInfo) -> None:
        self.name = name
        context = processes.context("spawn")  # not the workers' fork server: it has torch loaded
        self._inbox: Queue[Message] = context.Queue()
        self._inbox.cancel_join_thread()  # this process may end before a sink that hangs has read all
        self._failures, answers = context.Pipe(duplex=False)
        self._process = context.Process(target=_serve, args=(name, run, self._inbox, answers), name=f"tracker-{name}", daemon=True)
        self._process.start()
        answers.close()  # the process holds the other end: when it is gone, this one says so
        self._dropped = False

    def send(self, message: Message) -> None:
        """Never waits."""
        if not self._dropped:
            self._inbox.put(message)

    def failure(self) -> str | None:
        """Why the sink was dropped, told once."""
        if self._dropped or not self._failures.poll():
            return None
        self._dropped = True
        try:
            reason: str = self._failures.recv()
        except EOFError:
            self._process.join()
            reason = f"its process ended with code {self._process.exitcode}"
        return reason or None

    def is_done(self, seconds: float) -> bool:
        """Whether it has taken everything, or was dropped, within so many seconds."""
        return self._dropped or self._failures.poll(seconds)

    def end(self, seconds: float) -> str | None:
        """Waits so long for the sink to have taken everything; why it did not, or None."""
        if self._dropped:
            return None
        told = self.failure() if self._failures.poll(seconds) else f"it did not end within {seconds:.0f} s"
        self._dropped = True
        self._process.join(_EXIT_SECONDS if told is None else 0)
        self._process.kill()
        self._process.join()
        return told


def _serve(name: str, run: RunInfo, inbox: "Queue[Message]", answers: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run hears Ctrl-C, and says when it is over
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # standard output is the run's data
    os.dup2(nowhere, 2)
    try:
        following = Following(make("tracker", name), run, Progress(run.folder / "trackers" / f"{name}.json"))
        for message in _messages(inbox):
            if isinstance(message, Event):
                following.observe(message)
            else:
                following.conclude(message)
                break
        answers.send("")
    except Exception as error:  # the library's, whatever it is
        answers.send(safe_message(error))
    finally:
        answers.close()


def _messages(inbox: "Queue[Message]") -> Iterator[Message]:
    """What the run sends; that it was stopped, once its process is gone."""
    run = multiprocessing.parent_process()
    while True:
        try:
            yield inbox.get(timeout=_LISTEN_SECONDS)
        except queue.Empty:
            if run is None or not run.is_alive():
                yield None


def safe_message(error: Exception) -> str:
    """The error in one short line, without what only its owner should know: credentials in an address, keys of the environment."""
    text = re.sub(r"//[^/@\s]+@", "//***@", " ".join(f"{type(error).__name__}: {error}".split()))
    for name, value in os.environ.items():
        if len(value) >= 8 and any(word in name.upper() for word in _SECRET_NAMES):
            text = text.replace(value, "***")
    return text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + "..."
