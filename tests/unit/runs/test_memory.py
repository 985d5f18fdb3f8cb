"""The memory forecast against what autograd saves and what is allocated."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, PreTrainedConfig, Qwen2Config

from readbench.api import Question
from readbench.base.plugins import make
from readbench.models.batches import Encoded, collate
from readbench.models.language_model import LanguageModel
from readbench.models.loading.headers import num_parameters
from readbench.runs.planning.memory import Memory, forecast_memory
from readbench.students.schedule import LoraConfig, TrainingConfig
from readbench.students.student import Student
from support.models import byte_tokenizer

SIZES = {"vocab_size": 258, "num_attention_heads": 4, "num_hidden_layers": 3, "max_position_embeddings": 512}
CONFIGS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(hidden_size=64, intermediate_size=160, num_key_value_heads=4, **SIZES),
    "shared keys": LlamaConfig(hidden_size=96, intermediate_size=400, num_key_value_heads=2, **SIZES),
    "qwen2": Qwen2Config(hidden_size=128, intermediate_size=256, num_key_value_heads=2, **SIZES),
}
QUESTIONS = [Question(prompt="p" * 39, answer="a" * 19)]  # 40 + 20 tokens: a third are labels
TOKENS = 960


def folder_of(config: PreTrainedConfig, folder: Path) -> Path:
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def forecast(folder: Path, training: TrainingConfig, *, on_gpu: bool = False) -> Memory:
    return forecast_memory(folder, training, questions=QUESTIONS, max_new_tokens=60, on_gpu=on_gpu)


def part(memory: Memory, name: str) -> int | None:
    return next(part.size for part in memory.parts if part.name == name)


def saved_bytes(model: LanguageModel) -> int:
    """What a pass keeps for its backward, but weights and what comes after the last layer."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.network.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    batch = collate([Encoded(tuple(range(61)), 40)] * (TOKENS // 60), model.device)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        hidden = model.network.base_model(input_ids=batch.inputs, use_cache=False)[0]
    assert hidden.requires_grad
    return sum(kept.values())


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_activations_are_what_the_library_saves(config: PreTrainedConfig, tmp_path: Path) -> None:
    folder = folder_of(config, tmp_path / "model")
    expected = part(forecast(folder, TrainingConfig(micro_tokens=TOKENS)), "activations")
    assert saved_bytes(LanguageModel.load(folder, device="cpu")) == pytest.approx(expected, rel=0.1)


def test_activations_that_are_computed_again_are_those_of_one_layer(tmp_path: Path) -> None:
    folder = folder_of(CONFIGS["llama"], tmp_path / "model")
    kept, again = (part(forecast(folder, TrainingConfig(checkpointing=checkpointing)), "activations") for checkpointing in (False, True))
    assert kept is not None
    assert again == kept // 3 + 1024 * 3 * 64 * 4  # one layer's, and what enters each


@pytest.mark.parametrize(
    "training",
    [
        TrainingConfig(),
        TrainingConfig(weights="bfloat16"),
        TrainingConfig(lora=LoraConfig(rank=4)),
        TrainingConfig(weights="bfloat16", lora=LoraConfig(rank=4, targets="q_proj,down_proj")),
        TrainingConfig(optimizer="adamw-8bit", lora=LoraConfig(rank=128, targets="up_proj")),
    ],
)
def test_weights_gradients_and_moments_are_what_is_held(training: TrainingConfig, tmp_path: Path) -> None:
    folder = folder_of(CONFIGS["qwen2"], tmp_path / "model")
    memory = forecast(folder, training)
    student = Student.load(folder, training=training, objective=make("objective", "sft"), device="cpu")
    weights = sum(parameter.nbytes for parameter in student.model.network.parameters())
    trained = sum(parameter.nbytes for parameter in student._parameters.values())
    state = student.state()
    moments = sum(tensor.nbytes for name, tensor in state.items() if not name.startswith(("weight:", "step:")))
    assert part(memory, "weights") == weights
    assert part(memory, "gradients") == trained
    assert part(memory, "moments") == pytest.approx(moments, rel=0.1 if training.optimizer == "adamw-8bit" else 0)


def test_logits_and_cache_are_counted_by_their_tokens(tmp_path: Path) -> None:
    folder = folder_of(CONFIGS["shared keys"], tmp_path / "model")
    memory = forecast(folder, TrainingConfig(micro_tokens=900))
    assert part(memory, "logits") == 300 * 258 * 12
    keys = 96 // 4 * 2
    assert part(memory, "cache") == 163 * 100 * 3 * 2 * keys * 4  # rows, tokens, layers, keys and values


def test_a_gpu_computes_with_copies_in_half_the_bytes(tmp_path: Path) -> None:
    folder = folder_of(CONFIGS["llama"], tmp_path / "model")
    memory = forecast(folder, TrainingConfig(), on_gpu=True)
    assert part(memory, "copies of the weights") == 2 * num_parameters(folder)
    here = part(forecast(folder, TrainingConfig()), "cache")
    assert here is not None
    assert part(memory, "cache") == here // 2
    assert memory.size == sum(each.size or 0 for each in memory.parts)


def test_of_another_family_the_unknown_is_said(tmp_path: Path) -> None:
    folder = folder_of(GPT2Config(n_embd=32, n_head=4, n_layer=2, vocab_size=258, bos_token_id=1, eos_token_id=1), tmp_path / "model")
    parts = {each.name: each for each in forecast(folder, TrainingConfig()).parts}
    assert parts["activations"].size is None
    assert parts["activations"].of == "not known of gpt2"
    assert parts["weights"].size == 4 * num_parameters(folder)
