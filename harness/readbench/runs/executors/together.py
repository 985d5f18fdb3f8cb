"""Several ranks that train one student together: rank 0 drives the run as if it were alone, the others do what it says.

torchrun --nproc-per-node 8 -m readbench run ...
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from readbench.models.ranks import Ranks
from readbench.runs.executors.base import Observer, WorkerConfig
from readbench.runs.executors.inline import Inline

_RUN, _END = "run", "end"


class Together(Inline):
    """Rank 0's: trials are run by all ranks, all else by this one."""

    def __init__(self, config: WorkerConfig, observe: Observer, ranks: Ranks) -> None:
        super().__init__(config, observe, ranks)

    def _called(self, name: str, *arguments: Any) -> Any:
        if name == _RUN:
            self._ranks.agree((_RUN, self._config, arguments))
        return super()._called(name, *arguments)


@contextmanager
def open_together(config: WorkerConfig, num_workers: int, observe: Observer) -> Iterator[Together]:  # noqa: ARG001 - there is one
    """Opens rank 0's worker, made when first needed."""
    yield Together(config, observe, Ranks.joined(config.device))


@contextmanager
def leading(device: str) -> Iterator[None]:
    """Lets the other ranks go once the block has ended well; if it has not, this process ends, and torchrun ends them."""
    from readbench.models.folder import resolve_device

    ranks = Ranks.joined(resolve_device(device))
    yield
    ranks.agree((_END, None, ()))
    ranks.leave()


def obey(device: str) -> NoReturn:
    """Runs the trials that rank 0 runs, until it says that there are no more; then the process ends."""
    from readbench.models.folder import resolve_device
    from readbench.runs.executors.worker import Worker

    ranks, worker = Ranks.joined(resolve_device(device)), None
    nothing: tuple[str, Any, tuple[Any, ...]] = ("", None, ())
    while (said := ranks.agree(nothing))[0] == _RUN:
        _, config, arguments = said
        worker = worker or Worker(config, ranks=ranks)
        spec, briefing = arguments
        worker.run(spec, briefing, lambda _: None, lambda: False)
    ranks.leave()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # nothing is left to do, and threads of torch.distributed that still end may abort an ordinary exit
