"""What every test shares: no network, one thread, no clock."""

import os

from hypothesis import HealthCheck, settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
for name in [name for name in os.environ if name.startswith("READBENCH_")]:
    del os.environ[name]

# The same examples in every run, and no verdict that depends on how busy the machine is.
settings.register_profile("readbench", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("readbench")
