"""A network whose weights are shared out among ranks (FSDP2, `torch.distributed.fsdp.fully_shard`; Zhao et al. 2023, arXiv 2304.11277).

Each layer is a unit of its own, gathered when it is computed and given back after it; embedding, last norm and head are one, which is
entered through `AtPositions`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from readbench.base.errors import ConfigError
from readbench.models.ranks import Ranks

if TYPE_CHECKING:
    from transformers import PreTrainedModel


LogitsAt = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (inputs (B, L), positions (N,)) → logits (N, V)


class AtPositions(nn.Module):
    """A network that is entered through the forward that was chosen for it (`readbench.models.loading.forward`)."""

    def __init__(self, network: "PreTrainedModel", logits_at: LogitsAt) -> None:
        super().__init__()
        self.network = network
        self._logits_at = logits_at

    def forward(self, inputs: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """The logits."""
        return self._logits_at(inputs, positions)


def shared_out(network: "PreTrainedModel", logits_at: LogitsAt, device: torch.device, ranks: Ranks) -> AtPositions:
    """The network, its parameters now this rank's shares; ConfigError where its layers are not to be found."""
    layers = [module for module in network.modules() if isinstance(module, nn.ModuleList)]
    if not layers:
        raise ConfigError("the student has no list of layers to share out among ranks", hint="train it on one rank")
    mesh = init_device_mesh(device.type, (ranks.count,))
    whole = AtPositions(network, logits_at)
    for layer in max(layers, key=len):
        fully_shard(layer, mesh=mesh)
    fully_shard(whole, mesh=mesh, reshard_after_forward=True)  # else a forward would leave it gathered, with weights of that moment
    with torch.no_grad():  # buffers that are made in inference mode could not be trained with
        whole(torch.zeros((1, 2), dtype=torch.int64, device=device), torch.arange(2, device=device))
    return whole


@contextmanager
def gathered(whole: nn.Module) -> Iterator[None]:
    """All weights are on every rank for as long as the block lasts: what the ranks compute in it need not be alike."""
    units = [module for module in whole.modules() if isinstance(module, FSDPModule)]
    for unit in units:
        unit.set_reshard_after_forward(False, recurse=False)
        unit.unshard()
    try:
        yield
    finally:
        for unit in units:
            unit.reshard()
            unit.set_reshard_after_forward(True, recurse=False)


@torch.no_grad()
def fill(tensor: torch.Tensor, content: torch.Tensor | None, ranks: Ranks) -> None:
    """Copies what rank 0 gives into this rank's share; others give None."""
    if not isinstance(tensor, DTensor):
        tensor.copy_(torch.as_tensor(ranks.agree(None if content is None else content.tolist()), dtype=tensor.dtype))
        return
    given: Any = torch.empty(tensor.shape, dtype=tensor.dtype) if content is None else content
    tensor.copy_(distribute_tensor(given.to(tensor.device), tensor.device_mesh, tensor.placements))
