"""What this distribution registers: every decorated factory that is imported here."""

from readbench_baselines.gap import gap
from readbench_baselines.one_hot import one_hot
from readbench_baselines.per_capability import per_capability
from readbench_baselines.random_shares import random_shares
from readbench_baselines.task_static import task_static
from readbench_baselines.uniform import uniform

__all__ = ["gap", "one_hot", "per_capability", "random_shares", "task_static", "uniform"]
