"""What an allocator must not depend on: the clock, and the global random generators."""

import contextlib
import random
import sys
import time
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np

from readbench.testing.transcripts import bits

_CLOCKS = ("time", "monotonic", "perf_counter", "time_ns", "monotonic_ns", "perf_counter_ns")


@contextlib.contextmanager
def another_time() -> Iterator[None]:
    """Moves the clocks of the module `time` three years ahead."""

    def moved(name: str) -> Callable[[], float]:
        clock, seconds = getattr(time, name), 10**8
        shift = seconds * 10**9 if name.endswith("_ns") else seconds
        return lambda: clock() + shift

    with contextlib.ExitStack() as stack:
        for name in _CLOCKS:
            stack.enter_context(mock.patch.object(time, name, moved(name)))
        yield


@contextlib.contextmanager
def global_generators(seed: int) -> Iterator[Callable[[], dict[str, object]]]:
    """Seeds the global generators of `random`, numpy and, if imported, torch; yields a reader of their states; restores them."""
    torch = sys.modules.get("torch")
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002  (the check is about it)
    torch_state = torch.get_rng_state() if torch else None

    def read() -> dict[str, object]:
        states = {"random": random.getstate(), "numpy.random": bits(np.random.get_state())}  # noqa: NPY002
        return states | ({"torch": torch.get_rng_state().tolist()} if torch else {})

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if torch:
        torch.default_generator.manual_seed(seed)
    try:
        yield read
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        if torch:
            torch.set_rng_state(torch_state)
