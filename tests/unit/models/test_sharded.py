"""Weights that are shared out: the network computes what it did, whatever it does after its head, and gets back what it gave."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from readbench.base.plugins import make
from readbench.models.language_model import LanguageModel
from readbench.models.ranks import Ranks
from readbench.models.sharded import fill
from readbench.students.schedule import TrainingConfig
from readbench.students.student import Student
from support.models import PAIRS


@pytest.fixture
def alone() -> Iterator[Ranks]:
    """One rank, with a process group of its own."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield Ranks(0, 1)
    dist.destroy_process_group()


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen2", "gemma2"])
def test_scores_and_answers_are_those_of_the_whole_network(family: str, folder_of: Callable[[str], Path], alone: Ranks) -> None:
    model = LanguageModel.load(folder_of(family), device="cpu")
    with torch.no_grad():
        model.network.get_output_embeddings().weight.mul_(30)  # so that a cap of the logits is felt
    examples = [model.encode(prompt, answer) for prompt, answer in PAIRS]
    weights = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    before, written = model.log_likelihoods(examples)[0], model.answer(["2+2=", "x"], max_new_tokens=6)
    model.share_out(alone)
    assert model.log_likelihoods(examples)[0] == pytest.approx(before, rel=1e-5)  # gemma2 caps its logits after the head
    assert model.answer(["2+2=", "x"], max_new_tokens=6) == written
    kept = model.whole_weights()
    assert kept is not None
    assert all(torch.equal(tensor, weights[name]) for name, tensor in kept.items())
    assert {name for name in weights if name not in kept} <= {"lm_head.weight"}


def test_a_state_is_filled_in_again(folder_of: Callable[[str], Path], alone: Ranks) -> None:
    student = Student.load(folder_of("llama"), training=TrainingConfig(), objective=make("objective", "sft"), device="cpu")
    student.model.share_out(alone)
    parameter = next(student.model.network.parameters())
    content = torch.arange(parameter.numel(), dtype=torch.float32).reshape(parameter.shape)
    fill(parameter, content, alone)
    assert torch.equal(parameter.full_tensor(), content)  # type: ignore[attr-defined]
    count = torch.zeros(())
    fill(count, torch.tensor(7.0), alone)
    assert count == 7
