"""The driver's side: connects to a cluster or starts one, submits trials as tasks, and brings finished ones into the run directory.

Ray repeats a task whose node or worker died (`_REPEATS` times); the repeat goes on from the trial's last commit in the storage. An error
of the task itself is not repeated. Torch-free.
"""

import contextlib
import importlib.util
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from readbench.base.errors import ConfigError, IncompleteRunError, SurroundingError
from readbench.runs.executors.base import POLL_SECONDS, Observer, WorkerConfig, as_they_end, trial_name
from readbench.runs.executors.cluster import task
from readbench.runs.executors.cluster.hub import Hub, released
from readbench.runs.executors.cluster.settings import ClusterConfig
from readbench.runs.executors.cluster.storage import SHARED, SIGN, Attempt, Storage, fetch, open_storage
from readbench.runs.executors.pool import GRACE_SECONDS
from readbench.trials.briefing import Briefing
from readbench.trials.record.run_files import PILOT_FOLDER
from readbench.trials.record.trial_file import find_trial
from readbench.trials.spec import TrialSpec

_REACH_SECONDS = 10.0
_REPEATS = 20  # of a task whose node or worker died
_OBJECT_BYTES = 100 << 20  # of a cluster that is started here: tasks exchange little
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}


class Cluster:
    """Tasks on a cluster; see `readbench.runs.executors.base.Executor`."""

    def __init__(self, config: task.TaskConfig, storage: Storage, observe: Observer, *, resources: Mapping[str, float]) -> None:
        import ray

        self._ray: Any = ray
        self._run_dir = config.worker.run_dir
        self._config = ray.put(config)
        self._hub = config.hub
        self._storage, self._observe = storage, observe
        self._fingerprints: list[Mapping[str, Any]] = []
        self._futures: dict[Future[Any], Any] = {}  # of each task its reference
        self._trials: dict[Future[Any], TrialSpec] = {}  # those that are not in the run directory yet
        self._wanted = resources
        self._options = {**resources, "max_retries": _REPEATS, "scheduling_strategy": "SPREAD"}

    def measure_fingerprints(self) -> "Future[list[dict[str, Any]]]":
        """Those of all nodes that trials may run on; SurroundingError if one does not see the storage, or the driver not what it writes."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        sign = secrets.token_hex(8)
        self._storage.write(SIGN, sign.encode())
        nodes = list(_slots(self._ray, self._wanted))
        asked = self._ray.remote(**self._wanted)(task.inspect)  # a task that asks for no GPU sees none
        looks = [asked.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)) for node in nodes]
        try:
            found = [released(each) for each in self._ray.get([look.remote(self._config, sign) for look in looks])]
        except self._ray.exceptions.RayError as error:
            raise IncompleteRunError(f"a node was lost before the first trial: {_first_line(error)}", hint="repeat the command") from error
        unseen = [node for node in nodes if self._storage.read(f"{SIGN}-{node}") != sign.encode()]
        for node in ("", *(f"-{node}" for node in nodes)):
            self._storage.remove(f"{SIGN}{node}")
        if unseen:
            raise SurroundingError(f"the driver does not see what node {unseen[0]} wrote to the storage", hint=SHARED)
        self._fingerprints = found
        future: Future[list[dict[str, Any]]] = Future()
        future.set_result(found)
        return future

    def measure_teacher(self) -> "Future[dict[str, Any]]":
        """Runs on a node."""
        return self._submit(task.measure, "measure_teacher")

    def measure_start(self) -> "Future[dict[str, Any]]":
        """Runs on a node."""
        return self._submit(task.measure, "measure_start")

    def identify(self) -> "Future[list[float]]":
        """Runs on a node."""
        return self._submit(task.measure, "identify")

    def run(self, spec: TrialSpec, briefing: Briefing) -> "Future[bool]":
        """Runs on a node; what the run directory holds of the trial goes with it, and comes back when it ends."""
        record = find_trial(self._folder(spec))
        if record is not None:
            attempt = Attempt(self._storage, trial_name(spec), self._folder(spec))
            attempt.mark()
            attempt.publish()
        future = self._submit(task.run, spec, briefing, self._fingerprints)
        self._trials[future] = spec
        return future

    def wait(self, futures: "Collection[Future[Any]]") -> None:
        """Waits until all have ended, passing on the tasks' events; raises the error of the first that failed.

        IncompleteRunError if a task's node or worker died again and again.
        """
        for future in as_they_end(futures, self._pass_on):
            try:
                future.result()
            except self._ray.exceptions.RayError as error:
                hint = f"resume with: readbench resume {self._run_dir}"
                raise IncompleteRunError(f"a task was lost: {_first_line(error)}", hint=hint) from error
            if future in self._trials:
                self._bring(self._trials.pop(future))

    def finish_interval(self) -> None:
        """Lets every running trial commit its interval, then brings all of them; gives up what takes longer than GRACE_SECONDS."""
        self._ray.get(self._hub.stop.remote())
        deadline = time.monotonic() + GRACE_SECONDS
        pending = set(self._futures)
        while pending and time.monotonic() < deadline:
            _, pending = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            self._pass_on()
        if pending:
            self.kill()
        for spec in self._trials.values():
            self._bring(spec)

    def kill(self) -> None:
        """Ends the tasks at once: what they have committed is in the storage."""
        for reference in self._futures.values():
            self._ray.cancel(reference, force=True)

    def _submit(self, work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        reference = self._ray.remote(**self._options)(work).remote(self._config, *arguments)
        future: Future[Any] = Future()

        def pass_on(done: "Future[Any]") -> None:
            try:
                future.set_result(released(done.result()))
            except BaseException as error:
                future.set_exception(error)

        self._futures[future] = reference
        reference.future().add_done_callback(pass_on)
        return future

    def _folder(self, spec: TrialSpec) -> Path:
        return self._run_dir / trial_name(spec)

    def _bring(self, spec: TrialSpec) -> None:
        """Moves what a trial has committed from the storage into the run directory."""
        bring(self._storage, trial_name(spec), self._run_dir)

    def _pass_on(self) -> None:
        for event in self._ray.get(self._hub.events.remote()):
            self._observe(event)


def storage_place(run_dir: Path, run: Mapping[str, Any], cluster: ClusterConfig) -> str:
    """Where the run's trials keep what they commit: in its directory, or in a folder of its own of the given storage."""
    if not cluster.storage:
        return str(run_dir.absolute() / "storage")
    return f"{cluster.storage.rstrip('/')}/readbench-{[*run.get('earlier', []), run['digest']][0]}"


def bring(storage: Storage, name: str, run_dir: Path) -> None:
    """Moves what was committed under `name` into the run directory."""
    if fetch(storage, name, run_dir / name):
        storage.remove(name)


def bring_all(run_dir: Path, place: str) -> None:
    """Moves what the trials of a run have committed into its directory: its driver may have been killed before it did."""
    storage = open_storage(place)
    for folder in ("trials", PILOT_FOLDER):
        for trial in storage.names(folder):
            bring(storage, f"{folder}/{trial}", run_dir)
    storage.remove("")


@contextmanager
def open_cluster(config: WorkerConfig, num_workers: int, observe: Observer) -> Iterator[Cluster]:
    """Connects to the cluster of the config's address, or starts one here with a core a worker, for as long as the block lasts."""
    config, cluster = replace(config, run_dir=config.run_dir.absolute()), config.cluster
    ray = _connected(cluster, num_workers)
    try:
        resources = {"num_cpus": cluster.num_cpus, "num_gpus": cluster.num_gpus}
        slots = sum(_slots(ray, resources).values())
        storage = open_storage(cluster.storage)
        hub = _hub(ray, config.run_dir)
        tasks = task.TaskConfig(worker=config.shared_by(slots), storage=cluster.storage, hub=hub)
        yield Cluster(tasks, storage, observe, resources=resources)
    finally:
        ray.shutdown()


def _connected(cluster: ClusterConfig, num_workers: int) -> Any:
    """Ray, connected; SurroundingError where there is no such cluster."""
    if importlib.util.find_spec("ray") is None:
        raise ConfigError("executor ray needs ray, which is not installed", hint="pip install 'readbench[ray]', or take the pool")
    if "://" in cluster.address:
        hint = "start readbench on a node of the cluster, with --ray-address auto"
        raise ConfigError(f"{cluster.address} is an address of Ray's client", hint=hint)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    started: dict[str, Any] = {}
    if not cluster.address:
        started = {"num_cpus": num_workers, "include_dashboard": False, "object_store_memory": _OBJECT_BYTES}
    try:
        _reach(cluster.address)
        # tasks look for modules in the folder that this is called in; and Ray takes the signals, which are the run's
        with contextlib.chdir(Path(__file__).parents[4]), _signals_kept():
            ray.init(address=cluster.address or "local", log_to_driver=False, logging_level=logging.ERROR, **started)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        what = f"no Ray cluster answers at {cluster.address}" if cluster.address else "Ray cannot be started here"
        hint = "start one with `ray start --head`, or drop --ray-address to start one here"
        raise SurroundingError(f"{what}: {_first_line(error)}", hint=hint) from error
    return ray


def _reach(address: str) -> None:
    """OSError where nobody listens at HOST:PORT: Ray itself would ask for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_SECONDS).close()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """The block's own signal handlers are undone."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in kept.items():
                signal.signal(number, handler)


def _slots(ray: Any, wanted: Mapping[str, float]) -> dict[str, int]:
    """How many tasks fit each node at once, by its id, without those that have no room; SurroundingError where none has."""
    names = {"num_cpus": "CPU", "num_gpus": "GPU"}
    nodes = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
    asked = {names[key]: number for key, number in wanted.items() if number > 0}
    slots = {name: min(int(node.get(kind, 0.0) / number) for kind, number in asked.items()) for name, node in nodes.items()}
    if not any(slots.values()):
        lacking = next((kind for kind, number in asked.items() if all(node.get(kind, 0.0) < number for node in nodes.values())), None)
        text = " and ".join(f"{number:g} {kind}" for kind, number in asked.items())
        most = "" if lacking is None else f": the largest has {max(node.get(lacking, 0.0) for node in nodes.values()):g} {lacking}"
        hint = "set cluster.num_cpus and cluster.num_gpus, or add nodes"
        raise SurroundingError(f"no node of the Ray cluster has {text}{most}", hint=hint)
    return {name: count for name, count in slots.items() if count}


def _hub(ray: Any, run_dir: Path) -> Any:
    """The hub, on this node: it has the run directory."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=here)(Hub).remote(run_dir)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:300]
