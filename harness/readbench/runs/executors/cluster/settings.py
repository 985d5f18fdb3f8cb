"""A run's settings of a Ray cluster."""

from typing import Annotated

from annotated_types import Ge, Gt
from pydantic.dataclasses import dataclass

from readbench.base.documents import STRICT


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ClusterConfig:
    """Where a run's trials are when the executor is ray, and what each takes."""

    address: str = ""  # of a Ray cluster: auto, HOST:PORT; empty: one is started here
    storage: str = ""  # where trials keep what they commit: a shared folder or a URL; empty: the run directory
    num_cpus: Annotated[float, Gt(0)] = 1.0  # a trial
    num_gpus: Annotated[float, Ge(0)] = 0.0
