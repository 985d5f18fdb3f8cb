"""What every test shares: no network, one thread, no clock; and a small results document."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from support.results import small_document
from support.story import Story

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
for name in [name for name in os.environ if name.startswith("READBENCH_")]:
    del os.environ[name]

# A script's background job ignores SIGINT, and its children inherit that: the programs under test must receive theirs.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run; no verdict depends on how busy the machine is.
settings.register_profile("readbench", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("readbench")


@pytest.fixture
def document() -> dict[str, Any]:
    """The results of two allocators with three seeds: `read` ahead by 0.08, 0.10 and 0.12."""
    return small_document()


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """A run for trackers to follow."""
    return Story(tmp_path / "a-run")
