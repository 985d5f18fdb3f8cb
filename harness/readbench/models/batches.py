"""Examples as tokens, and batches of them, sorted by length to keep padding small. Torch-free at import."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Encoded:
    """An example as tokens; the labels are ``tokens[prompt_length:]``, with EOS if the response is finished."""

    tokens: tuple[int, ...]
    prompt_length: int

    @property
    def label_count(self) -> int:
        """Number of label tokens."""
        return len(self.tokens) - self.prompt_length


@dataclass(frozen=True)
class Batch:
    """B rows of L inputs, padded on the right, with N label tokens in row order."""

    inputs: "torch.Tensor"  # (B, L) int64
    positions: "torch.Tensor"  # (N,) int64 into the flattened (B·L) inputs: where the label tokens are predicted
    labels: "torch.Tensor"  # (N,) int64
    starts: npt.NDArray[np.int64]  # (B,) index of each row's first label


def chunks_by_length(lengths: Sequence[int], chunk_tokens: int) -> list[list[int]]:
    """Indices sorted by length (ties: given order), cut into balanced runs of about `chunk_tokens` tokens, padding included."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    total = sum(lengths)
    count = max(1, round(total / chunk_tokens))
    chunks: list[list[int]] = [[] for _ in range(count)]
    before = 0
    for index in order:  # an example belongs to the chunk that holds its middle token
        chunks[min(count - 1, int((before + lengths[index] / 2) * count / total))].append(index)
        before += lengths[index]
    return [chunk for chunk in chunks if chunk]


def runs_within(lengths: Sequence[int], indices: Sequence[int], most_tokens: int) -> list[list[int]]:
    """These indices sorted by length, in runs of at most so many tokens, padding included; one that is longer stands alone."""
    runs: list[list[int]] = []
    for index in sorted(indices, key=lengths.__getitem__):
        if runs and (len(runs[-1]) + 1) * lengths[index] <= most_tokens:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def collate(examples: Sequence[Encoded], device: "torch.device") -> Batch:
    """The examples as one batch on the device."""
    import torch

    width = max(len(example.tokens) for example in examples) - 1
    inputs = np.zeros((len(examples), width), dtype=np.int64)  # padding is token 0: never seen, see `readbench.models.language_model`
    positions, labels = [], []
    for row, example in enumerate(examples):
        inputs[row, : len(example.tokens) - 1] = example.tokens[:-1]
        positions.append(np.arange(example.prompt_length - 1, len(example.tokens) - 1) + row * width)
        labels.append(example.tokens[example.prompt_length :])
    starts = np.cumsum([0, *(len(label) for label in labels[:-1])])
    return Batch(
        torch.from_numpy(inputs).to(device),
        torch.from_numpy(np.concatenate(positions)).to(device),
        torch.from_numpy(np.concatenate(labels)).to(device),
        starts,
    )


def rows_of(batch: Batch, rows: Sequence[int]) -> "tuple[Batch, torch.Tensor]":
    """The batch of these of its rows, in this order, and where its labels are among all."""
    import torch

    width, ends = batch.inputs.shape[1], np.append(batch.starts[1:], len(batch.labels))
    places = [np.arange(batch.starts[row], ends[row]) for row in rows]
    device = batch.labels.device
    moved = torch.from_numpy(np.repeat([(new - row) * width for new, row in enumerate(rows)], [len(each) for each in places])).to(device)
    index = torch.from_numpy(np.concatenate(places)).to(device)
    starts = np.cumsum([0, *(len(each) for each in places[:-1])])
    return Batch(batch.inputs[list(rows)], batch.positions[index] + moved, batch.labels[index], starts), index
