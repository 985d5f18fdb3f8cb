"""The language model: fast paths are exact, the end of sequence is a label, and measuring it makes no optimiser state."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from readbench.base.errors import ConfigError
from readbench.models.batches import Encoded, collate
from readbench.models.language_model import LanguageModel
from readbench.models.lean.llama import lean_llama
from support.models import PAIRS, plain_log_probabilities

FAMILIES = ("llama", "gpt2", "qwen2", "gemma2")


@pytest.fixture
def model_of(folder_of: Callable[[str], Path]) -> Callable[..., LanguageModel]:
    return lambda family: LanguageModel.load(folder_of(family), device="cpu")


@pytest.fixture
def model(model_of: Callable[..., LanguageModel]) -> LanguageModel:
    return model_of("llama")


def examples_of(model: LanguageModel) -> list[Encoded]:
    return [model.encode(prompt, answer) for prompt, answer in PAIRS]


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_those_of_each_sequence_alone_through_the_full_forward(family: str, model_of: Callable[..., LanguageModel]) -> None:
    model = model_of(family)
    examples = examples_of(model)
    log_likelihood, greedy = model.log_likelihoods(examples)
    with torch.inference_mode():
        expected = [float(plain_log_probabilities(model, example).double().sum()) for example in examples]
        matches = []
        for example in examples:
            best = model.network(input_ids=torch.tensor([example.tokens])).logits[0].argmax(-1).tolist()
            matches.append(best[example.prompt_length - 1 : -1] == list(example.tokens[example.prompt_length :]))
    np.testing.assert_allclose(log_likelihood, expected, rtol=1e-5)
    assert greedy.tolist() == matches


def test_which_forward_is_taken(model_of: Callable[..., LanguageModel]) -> None:
    assert model_of("llama")._lean is not None
    assert model_of("qwen2")._lean is not None
    assert model_of("gpt2")._lean is None
    assert model_of("gpt2")._logits_at.__name__ == "fast"
    assert model_of("gemma2")._logits_at.__name__ == "full"  # its cap stands after the head


def test_a_variant_that_the_lean_forward_does_not_know_takes_the_general_one(model: LanguageModel) -> None:
    model.network.config.hidden_act = "gelu"
    assert lean_llama(model.network) is None


def test_a_lean_forward_that_differs_is_not_taken(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lean_llama(model.network) is not None
    monkeypatch.setattr("readbench.models.lean.llama.LeanLlama.__call__", lambda *_: torch.zeros(12, 258))
    assert lean_llama(model.network) is None


@pytest.mark.parametrize("longest", [8, 60])
def test_the_lean_forward_has_the_general_one_s_logits_and_gradients(model: LanguageModel, longest: int) -> None:
    batch = collate([Encoded(tuple(range(2, 2 + size)), size - 3) for size in (8, 7, longest, 8, 8, 8)], model.device)
    assert model._lean is not None
    found = []
    for forward in (model._lean, None):
        model._lean = forward
        model.network.zero_grad()
        logits = model.label_logits(batch)
        logits.log_softmax(1)[:, 5].sum().backward()  # type: ignore[no-untyped-call]
        gradients = {name: parameter.grad.clone() for name, parameter in model.network.named_parameters() if parameter.grad is not None}
        found.append((logits.detach(), gradients))
    assert found[0][1].keys() == dict(model.network.named_parameters()).keys()
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)
    lean, general = (torch.cat([gradient.flatten() for gradient in gradients.values()]) for _, gradients in found)
    assert (lean - general).norm() <= 1e-6 * general.norm(), "packed sequences have the gradient of padded ones"


def test_heads_that_share_their_keys_are_lean() -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48
    )
    network = LlamaForCausalLM(config)
    lean = lean_llama(network)
    assert lean is not None
    inputs, positions = torch.arange(2 * 30).reshape(2, 30), torch.tensor([5, 6, 57])
    expected = network(input_ids=inputs, use_cache=False).logits.flatten(0, 1)[positions]
    torch.testing.assert_close(lean(inputs, positions), expected, rtol=1e-4, atol=1e-5)


def test_sequences_beyond_the_lean_forward_take_the_general_one(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    lean, widths = model._lean, []
    assert lean is not None

    def counted(inputs: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        widths.append(inputs.shape[1])
        return lean(inputs, positions)

    monkeypatch.setattr(model, "_lean", counted)
    examples = examples_of(model)
    expected = model.log_likelihoods(examples)[0]
    longest = max(widths)
    for limit in (longest, longest - 1):
        widths.clear()
        monkeypatch.setattr("readbench.models.language_model.LONGEST", limit)
        np.testing.assert_allclose(model.log_likelihoods(examples)[0], expected, rtol=1e-5)
        assert (longest in widths) == (limit == longest)


def test_the_end_of_sequence_is_a_label_of_finished_responses(model: LanguageModel) -> None:
    finished, cut = model.encode("a", "bc"), model.encode("a", "bc", finished=False)
    assert finished.tokens == (*cut.tokens, model.tokenizer.eos_token_id)
    assert (finished.label_count, cut.label_count, cut.prompt_length) == (3, 2, 2)


def test_an_example_beyond_the_context_names_the_lengths(model: LanguageModel) -> None:
    with pytest.raises(ConfigError, match=r"90 \+ 8 tokens, the model's context 96"):
        model.encode("x" * 89, "1234567")
    assert len(model.encode("x" * 89, "12345").tokens) == 96


def test_an_empty_unfinished_response_is_refused(model: LanguageModel) -> None:
    with pytest.raises(ConfigError, match="empty"):
        model.encode("a", "", finished=False)


def test_an_answer_is_cut_where_the_context_ends(model: LanguageModel) -> None:
    (answer,) = model.answer(["x" * 93], max_new_tokens=8)  # 93 and a newline leave room for 2 of 96
    assert answer.tokens <= 2
    with pytest.raises(ConfigError, match="a prompt fills the model's context of 96 tokens"):
        model.answer(["x" * 95], max_new_tokens=8)


def test_loading_and_measuring_a_model_makes_no_optimiser_and_no_gradient(
    model_of: Callable[..., LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("an optimiser was made")

    monkeypatch.setattr(torch.optim.Optimizer, "__init__", refused)
    model = model_of("llama")
    model.log_likelihoods(examples_of(model))
    model.answer(["2+2="], max_new_tokens=2)
    assert all(parameter.grad is None for parameter in model.network.parameters())
