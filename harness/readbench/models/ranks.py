"""The processes that train one student together, as torchrun starts them (*ranks*); one alone where it did not. Torch-free at import.

All ranks run the same program on the same values, and each has a share of the weights and of every step's examples. What a decision
depends on (a score, an answer, a profile) is rank 0's on all of them, so that no difference in the last digit can part them.
"""

import os
from collections.abc import Callable
from typing import TypeVar

from readbench.base.errors import ConfigError, IncompleteRunError, ReadbenchError

Value = TypeVar("Value")


def placed() -> tuple[int, int]:
    """The rank of this process, and how many there are, as torchrun says; (0, 1) without it."""
    try:
        number, count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    except ValueError as error:
        raise ConfigError("RANK and WORLD_SIZE are not whole numbers", hint="torchrun sets them: start readbench with it") from error
    if not 0 <= number < count:
        raise ConfigError(f"RANK is {number} of {count}", hint="torchrun sets them: start readbench with it")
    return number, count


def own_device(device: str) -> str:
    """The rank's own GPU of its machine, where it is to use one."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device.startswith("cuda") and placed()[1] > 1 else device


class Ranks:
    """The ranks as one of them sees them."""

    def __init__(self, number: int, count: int) -> None:
        self.number = number
        self.count = count

    @classmethod
    def joined(cls, device: str) -> "Ranks":
        """Those of this process's environment, connected: by NCCL on GPUs, by Gloo on CPUs."""
        import torch
        import torch.distributed as dist

        number, count = placed()
        if count > 1 and not dist.is_initialized():
            if device.startswith("cuda"):
                torch.cuda.set_device(own_device(device))
            dist.init_process_group("cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo")
        return cls(number, count)

    def leave(self) -> None:
        """Ends the connection, at the same place on all; a process that ended without would be aborted."""
        if self.count > 1:
            import torch.distributed as dist

            dist.barrier()
            dist.destroy_process_group()

    @property
    def leads(self) -> bool:
        """Whether this one records."""
        return self.number == 0

    def agree(self, value: Value) -> Value:
        """Rank 0's."""
        if self.count == 1:
            return value
        import torch.distributed as dist

        found: list[Value] = [value]
        try:
            dist.broadcast_object_list(found, src=0)
        except RuntimeError as error:
            raise _lost(error) from error
        return found[0]

    def each(self, value: Value) -> list[Value]:
        """All of them, in the order of the ranks."""
        if self.count == 1:
            return [value]
        import torch.distributed as dist

        found: list[Value] = [value] * self.count
        try:
            dist.all_gather_object(found, value)
        except RuntimeError as error:
            raise _lost(error) from error
        return found

    def told(self, work: Callable[[], Value]) -> Value:
        """What rank 0 finds by work that it alone does, or its error, on all."""
        if self.count == 1:
            return work()
        found: tuple[Value | None, ReadbenchError | None] = (None, None)
        if self.leads:
            try:
                found = work(), None
            except ReadbenchError as error:
                found = None, error
        value, failure = self.agree(found)
        if failure is not None:
            raise failure
        return value  # type: ignore[return-value]


def _lost(error: RuntimeError) -> IncompleteRunError:
    reason = str(error).strip().splitlines()[0][:200]
    return IncompleteRunError(
        f"another rank was lost: {reason}", hint="what was committed is kept: resume the run, with any number of ranks"
    )


ALONE = Ranks(0, 1)
