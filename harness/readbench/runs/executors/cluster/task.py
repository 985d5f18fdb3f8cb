"""What a node of a cluster does: a trial in a folder of its own, whose commits go to the storage; and measurements.

Only Ray's workers import torch through it. One process keeps its models from task to task.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from readbench.base import machine
from readbench.base.errors import ConfigError, SurroundingError
from readbench.runs.executors.base import WorkerConfig, trial_name
from readbench.runs.executors.cluster.hub import RemoteLedger, RemoteResponses, caught
from readbench.runs.executors.cluster.storage import SHARED, SIGN, Attempt, TakenOver, open_storage
from readbench.trials.briefing import Briefing
from readbench.trials.events import Event
from readbench.trials.loop import Interrupted
from readbench.trials.spec import TrialSpec

if TYPE_CHECKING:
    from readbench.runs.executors.worker import Worker


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """What every task of a run knows."""

    worker: WorkerConfig
    storage: str
    hub: Any  # the actor's handle


class _Process:
    """What this process keeps from task to task."""

    run: str = ""
    worker: "Worker | None" = None


def answer(reference: Any) -> Any:
    """What the hub returns. `ray.get` would give this task's core to another one meanwhile, which then begins beside it."""
    return reference.future().result()


def _worker(config: TaskConfig) -> "Worker":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from readbench.runs.executors.worker import Worker

    if _Process.worker is None or _Process.run != str(config.hub):
        hub = config.hub
        _Process.worker = Worker(
            config.worker,
            responses=RemoteResponses(lambda *given, **named: answer(hub.responses.remote(*given, **named))),
            open_ledger=lambda limit: RemoteLedger(lambda *given, **named: answer(hub.ledger.remote(limit, *given, **named))),
        )
        _Process.run = str(config.hub)
    return _Process.worker


def measure(config: TaskConfig, what: str) -> Any:
    """A measurement of the worker, by its name."""

    def look() -> Any:
        return getattr(_worker(config), what)()

    return caught(look)


def inspect(config: TaskConfig, sign: str) -> Any:
    """A node's fingerprint; SurroundingError if it does not see the storage."""
    import ray

    def look() -> dict[str, Any]:
        node = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        storage = open_storage(config.storage)
        if storage.read(SIGN) != sign.encode():
            raise SurroundingError(f"node {node} does not see what the driver wrote to {config.storage}", hint=SHARED)
        storage.write(f"{SIGN}-{ray.get_runtime_context().get_node_id()}", sign.encode())
        return _worker(config).measure_fingerprint()

    return caught(look)


def run(config: TaskConfig, spec: TrialSpec, briefing: Briefing, fingerprints: Sequence[Mapping[str, Any]]) -> Any:
    """Runs a trial from its last commit in the storage; False if it was asked to stop before its end.

    ConfigError on a node that computes other bits than those of `fingerprints`: one that joined later.
    """
    import ray

    hub = config.hub

    def work() -> bool:
        if answer(hub.stopped.remote()):
            return False
        worker = _worker(config)
        if not any(machine.same_bits(worker.measure_fingerprint(), each) for each in fingerprints):
            node = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
            raise ConfigError(
                f"node {node} computes other bits than the rest of the cluster", hint="use nodes of one kind, or --allow-drift"
            )
        with tempfile.TemporaryDirectory(prefix="readbench-", ignore_cleanup_errors=True) as here:
            folder = Path(here) / spec.id
            attempt = Attempt(open_storage(config.storage), trial_name(spec), folder)
            attempt.take_over()

            def observe(event: Event) -> None:
                if event.kind == "interval":
                    try:
                        attempt.publish()
                    except TakenOver as error:
                        raise Interrupted from error
                answer(hub.tell.remote(event))

            done = worker.run(spec, briefing, observe, lambda: bool(answer(hub.stopped.remote())), folder=folder)
            try:
                attempt.publish()
            except TakenOver:
                return False
            return done

    return caught(work)
