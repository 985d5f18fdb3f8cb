"""The identifier: a task's requirement from the words of its card, g(card) = softmax(MLP(frozen encoder(card))).

Source: ReAD (arXiv 2605.11290), which fits g to interventions: min Σ (ΔU − g·Δs)² + λ·H(g), over the pilots of many tasks. Here Δs and ΔU
are the soft ones, of a joint task their logarithms, as in `readbench.trials.requirement.by_pilots`. Two things differ. The prediction of
each task has its own scale, a·g·Δs with the best a ≥ 0, because the coefficients of a joint task sum to its number of steps. And a
task's squared error is divided by its own Σ ΔU², so that every task counts alike.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from torch import nn

from readbench.api import Pilot, Vector
from readbench.base.errors import ConfigError
from readbench.base.files import make_folder, write_bytes, write_json
from readbench.trials.requirement.by_pilots import never_right, observed
from readbench.trials.requirement.known import HEAD, NOTES, IdentifierNotes

HIDDEN = 64
STEPS = 400
LEARNING_RATE = 1e-2
WEIGHT_DECAY = 1.0
ENTROPY = 0.005  # λ
_TINY = 1e-12  # against 0/0, where nothing was predicted or nothing changed


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task as the identifier learns from it; K are the capabilities of the identifier, of which the task may know fewer."""

    name: str
    embedding: npt.NDArray[np.float32]  # (d,) of the card
    changes: npt.NDArray[np.float64]  # (n, K) of the scores, by pilot; 0 where the task does not know a capability or it was vetoed
    gains: Vector  # (n,) of the utility
    known: npt.NDArray[np.bool_]  # (K,)


def task_of(
    name: str, embedding: npt.NDArray[np.float32], pilots: Sequence[Pilot], *, joint: bool, own: Sequence[str], capabilities: Sequence[str]
) -> Task:
    """A task with the capabilities `own`, in the order of the identifier's `capabilities`."""
    changes, gains = observed(pilots, joint=joint)
    changes = np.where(never_right(pilots), 0.0, changes)
    places = [capabilities.index(capability) for capability in own]
    wide, known = np.zeros((len(gains), len(capabilities))), np.zeros(len(capabilities), dtype=np.bool_)
    wide[:, places], known[places] = changes, True
    return Task(name=name, embedding=embedding, changes=wide, gains=gains, known=known)


class Identifier:
    """A fitted identifier over K capabilities; its encoder is only named."""

    def __init__(self, head: nn.Sequential, notes: IdentifierNotes) -> None:
        self._head = head
        self.notes = notes

    def weights(self, embedding: npt.NDArray[np.float32], own: Sequence[str]) -> Vector:
        """(K,) on the simplex, over a suite's capabilities, which the identifier knows all."""
        places = [self.notes.capabilities.index(capability) for capability in own]
        with torch.inference_mode():
            logits = self._head(torch.from_numpy(embedding))[places]
        chosen: Vector = logits.double().softmax(0).numpy()
        return chosen

    def save(self, folder: Path) -> None:
        """Writes the folder."""
        make_folder(folder)
        write_bytes(folder / HEAD, safetensors.torch.save(self._head.state_dict()))
        write_json(folder / NOTES, asdict(self.notes))

    @classmethod
    def load(cls, folder: Path, notes: IdentifierNotes) -> "Identifier":
        """The identifier in a folder whose notes were read; ConfigError if its weights are damaged."""
        head = _head(notes.width, len(notes.capabilities), seed=0)
        try:
            head.load_state_dict(safetensors.torch.load((folder / HEAD).read_bytes()))
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            raise ConfigError(f"{folder / HEAD} is damaged: {' '.join(str(error).split()):.100}", hint="fit the identifier again") from None
        return cls(head, notes)


def fit(
    tasks: Sequence[Task], capabilities: Sequence[str], *, encoder: str, encoder_fingerprint: str, entropy: float = ENTROPY
) -> Identifier:
    """The identifier of these tasks; the same tasks give the same weights on one kind of CPU."""
    embeddings = torch.from_numpy(np.stack([task.embedding for task in tasks]))
    known = torch.from_numpy(np.stack([task.known for task in tasks]))
    changes, gains = _padded([task.changes for task in tasks]), _padded([task.gains for task in tasks])  # (tasks, n, K), (tasks, n)
    head = _head(embeddings.shape[1], len(capabilities), seed=0)
    optimizer = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(STEPS):
        shares = head(embeddings).masked_fill(~known, -torch.inf).softmax(1)
        errors = _error((changes @ shares.unsqueeze(2)).squeeze(2), gains)
        loss = errors.mean() + entropy * torch.special.entr(shares).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    notes = IdentifierNotes(
        encoder=encoder,
        encoder_fingerprint=encoder_fingerprint,
        width=embeddings.shape[1],
        capabilities=tuple(capabilities),
        tasks=tuple(task.name for task in tasks),
        entropy=entropy,
    )
    return Identifier(head, notes)


def leave_one_out(tasks: Sequence[Task], capabilities: Sequence[str], *, entropy: float = ENTROPY) -> list[Vector]:
    """For each task, (K,) the answer of an identifier that was fitted on all the others."""
    answers = []
    for index, task in enumerate(tasks):
        others = [*tasks[:index], *tasks[index + 1 :]]
        fitted = fit(others, capabilities, encoder="", encoder_fingerprint="", entropy=entropy)
        own = [capability for capability, known in zip(capabilities, task.known, strict=True) if known]
        answer = np.zeros(len(capabilities))
        answer[task.known] = fitted.weights(task.embedding, own)
        answers.append(answer)
    return answers


def explained(task: Task, weights: Vector) -> float:
    """The share of a task's Σ ΔU² that a·(weights·Δs) explains with the best a ≥ 0, in [0, 1]."""
    predicted = torch.from_numpy(task.changes @ weights)
    return 1.0 - float(_error(predicted, torch.from_numpy(task.gains)))


def _error(predicted: torch.Tensor, gains: torch.Tensor) -> torch.Tensor:
    """Σ (ΔU − a·predicted)² / Σ ΔU² over the last axis, with the best a ≥ 0."""
    scale = ((predicted * gains).sum(-1) / (predicted**2).sum(-1).clamp(min=_TINY)).clamp(min=0.0)
    return ((gains - scale.unsqueeze(-1) * predicted) ** 2).sum(-1) / (gains**2).sum(-1).clamp(min=_TINY)


def _padded(arrays: Sequence[npt.NDArray[np.float64]]) -> torch.Tensor:
    """The arrays as one, in single precision; a task of fewer pilots has rows of zeros, which add nothing to its error."""
    return nn.utils.rnn.pad_sequence([torch.from_numpy(each).float() for each in arrays], batch_first=True)


def _head(width: int, count: int, *, seed: int) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    layers = nn.Linear(width, HIDDEN), nn.Linear(HIDDEN, count)
    with torch.no_grad():
        for layer in layers:
            layer.weight.normal_(0.0, float(layer.in_features) ** -0.5, generator=generator)
            layer.bias.zero_()
    return nn.Sequential(layers[0], nn.Tanh(), layers[1])
