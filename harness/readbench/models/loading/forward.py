"""How a network's logits are computed: without those that nobody reads, where that changes no bit."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def fastest_logits(model: "PreTrainedModel") -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """(inputs (B, L), positions (N,)) → logits (N, V), through base model and head if that equals the full forward."""
    base, head = model.base_model, model.get_output_embeddings()  # type: ignore[no-untyped-call]

    def full(inputs: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        return model(input_ids=inputs, use_cache=False).logits.flatten(0, 1).index_select(0, positions)  # type: ignore[no-any-return]

    def fast(inputs: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        hidden = base(input_ids=inputs, use_cache=False)[0].flatten(0, 1)
        return head(hidden.index_select(0, positions))  # type: ignore[no-any-return]

    if base is model or head is None:
        return full
    inputs = torch.arange(8, device=model.device).reshape(2, 4) % model.config.get_text_config().vocab_size
    positions = torch.arange(8, device=model.device)
    with torch.inference_mode():
        return fast if torch.equal(fast(inputs, positions), full(inputs, positions)) else full
