"""The student: its gradient is exact, the same calls give the same bits, and what is saved can be loaded."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from readbench.api import Batch, Loss
from readbench.base.errors import ConfigError, SurroundingError, TrialFailure
from readbench.base.plugins import make
from readbench.models.batches import Encoded, collate
from readbench.models.language_model import LanguageModel
from readbench.models.lean import cpu, products
from readbench.models.lean.cpu import has_bfloat16
from readbench.students.objectives.sft import CrossEntropy
from readbench.students.passes import Outcomes
from readbench.students.schedule import LoraConfig, TrainingConfig
from readbench.students.student import Student
from support.models import PAIRS, plain_log_probabilities

FAMILIES = ("llama", "gpt2", "qwen2", "gemma2")


def examples_of(student: Student, copies: int = 1) -> list[Encoded]:
    return [student.model.encode(prompt, answer) for prompt, answer in PAIRS * copies]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_gradient_is_that_of_the_full_forward(family: str, student_of: Callable[..., Student]) -> None:
    student = student_of(family)
    examples = examples_of(student)
    labels = sum(example.label_count for example in examples)
    batch = collate(examples, student.model.device)
    logits = student.model.label_logits(batch)
    given = Batch(
        logits=logits,
        labels=batch.labels,
        sequence=torch.zeros_like(batch.labels),
        normaliser=float(labels),
        sequences=float(len(examples)),
        max_new_tokens=256,
        progress=0.0,
    )
    student._objective.loss(given).value.backward()
    found = {name: parameter.grad.clone() for name, parameter in student._parameters.items() if parameter.grad is not None}
    student.model.network.zero_grad()
    (-sum(plain_log_probabilities(student.model, example).sum() for example in examples) / labels).backward()
    for name, parameter in student._parameters.items():
        assert parameter.grad is not None
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-6)


def test_losses_are_those_before_the_update_in_the_given_order(student: Student) -> None:
    examples = examples_of(student)
    expected = -student.model.log_likelihoods(examples)[0]
    losses = student.train(examples, progress=(0.1, 0.2), seed=0).losses  # one step holds them all
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_learns(family: str, student_of: Callable[..., Student]) -> None:
    student = student_of(family, warmup_share=0.0)
    examples = examples_of(student, 4)
    before = student.model.log_likelihoods(examples)[0].sum()
    for step in range(8):
        student.train(examples, progress=(step / 8, (step + 1) / 8), seed=step)
    assert student.model.log_likelihoods(examples)[0].sum() > 0.7 * before


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_the_same_calls_give_the_same_bits(family: str, student_of: Callable[..., Student]) -> None:
    def run(noise: int) -> tuple[dict[str, torch.Tensor], list[float]]:
        student = student_of(family)
        torch.manual_seed(noise)
        losses = student.train(examples_of(student, 5), progress=(0.0, 0.5), seed=2**64 - 1).losses
        return student.state(), losses.tolist()

    (first, first_losses), (second, second_losses) = run(1), run(2)
    assert first_losses == second_losses
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_dropout_comes_from_the_seed_and_leaves_the_global_generator_alone(student_of: Callable[..., Student]) -> None:
    def losses(seed: int) -> list[float]:
        student = student_of("gpt2")
        torch.manual_seed(0)
        found = student.train(examples_of(student), progress=(0.0, 0.1), seed=seed).losses.tolist()
        assert torch.initial_seed() == 0
        assert not student.model.network.training
        return found

    expected = torch.manual_seed(0).get_state()
    assert losses(1) == losses(1)
    assert losses(1) != losses(2)
    assert torch.equal(torch.get_rng_state(), expected)


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen2"])
def test_a_restored_student_goes_on_bit_for_bit(family: str, student_of: Callable[..., Student]) -> None:
    whole, first = student_of(family), student_of(family)
    for student in (whole, first):
        student.train(examples_of(student, 3), progress=(0.0, 0.5), seed=1)
    second = student_of(family)
    second.restore(safetensors.torch.load(safetensors.torch.save(first.state())))
    losses = [student.train(examples_of(student, 3), progress=(0.5, 1.0), seed=2).losses.tolist() for student in (whole, second)]
    assert losses[0] == losses[1]
    assert all(torch.equal(tensor, second.state()[key]) for key, tensor in whole.state().items())


def test_a_state_does_not_change_with_the_student(student: Student) -> None:
    state = student.state()
    copy = {key: tensor.clone() for key, tensor in state.items()}
    student.train(examples_of(student), progress=(0.0, 1.0), seed=0)
    assert all(torch.equal(state[key], copy[key]) for key in state)
    assert not any(torch.equal(state[key], tensor) for key, tensor in student.state().items() if key.startswith("weight:"))


def test_the_state_of_another_model_is_refused(student_of: Callable[..., Student]) -> None:
    with pytest.raises(ValueError, match="another model"):
        student_of("llama").restore(student_of("qwen2").state())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_student_is_loaded_by_the_library_with_the_same_weights(
    family: str, student_of: Callable[..., Student], tmp_path: Path
) -> None:
    student = student_of(family)
    student.train(examples_of(student), progress=(0.0, 1.0), seed=0)
    student.model.save_pretrained(tmp_path / "student")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "student")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "student")
    weights = dict(student.model.network.named_parameters())
    assert all(torch.equal(parameter, weights[name]) for name, parameter in model.named_parameters())
    assert tokenizer.encode("a b") == student.model.tokenizer.encode("a b")
    if family == "llama":  # tied
        assert model.lm_head.weight is model.model.embed_tokens.weight
        assert not any("lm_head" in key for key in student.state())


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_fails_the_trial_and_leaves_the_weights(student: Student, poison: float) -> None:
    examples = examples_of(student)
    student.train(examples, progress=(0.0, 0.1), seed=0)
    before = student.state()

    class Poisoned:
        needs = frozenset[str]()

        def loss(self, given: Batch) -> Loss:
            tokens = (given.logits.logsumexp(1) + given.labels) * poison
            return Loss(value=tokens.sum(), tokens=tokens.detach())

    student._objective = Poisoned()
    with pytest.raises(TrialFailure, match="optimiser step 2: the loss or its gradient is not finite"):
        student.train(examples, progress=(0.1, 0.2), seed=0)
    assert all(torch.equal(tensor, before[key]) for key, tensor in student.state().items())


def test_the_gradient_is_clipped_over_all_parameters(student_of: Callable[..., Student], monkeypatch: pytest.MonkeyPatch) -> None:
    student = student_of(clip_norm=1e-3)
    norms = []

    def spy() -> None:
        gradients = [parameter.grad for parameter in student._parameters.values() if parameter.grad is not None]
        norms.append(float(torch.nn.utils.get_total_norm(gradients)))

    monkeypatch.setattr(student._optimizer, "step", spy)
    student.train(examples_of(student), progress=(0.0, 0.1), seed=0)
    assert norms == [pytest.approx(1e-3, rel=1e-5)]


def test_bf16_autocast_trains_fp32_master_weights(student_of: Callable[..., Student]) -> None:
    student = student_of(warmup_share=0.0)
    examples = examples_of(student)
    expected = student.model.log_likelihoods(examples)[0]
    student.model.autocast = True  # what CUDA does
    np.testing.assert_allclose(student.model.log_likelihoods(examples)[0], expected, rtol=0.02)
    for step in range(8):
        student.train(examples, progress=(step / 8, (step + 1) / 8), seed=step)
    assert student.model.log_likelihoods(examples)[0].sum() > 0.7 * expected.sum()
    assert {tensor.dtype for tensor in student.state().values()} == {torch.float32}


def test_nothing_to_train_or_score_is_no_step(student: Student) -> None:
    before = student.state()
    assert student.train([], progress=(0.0, 0.1), seed=0).losses.shape == (0,)
    assert student.model.log_likelihoods([])[0].shape == (0,)
    assert all(torch.equal(tensor, before[key]) for key, tensor in student.state().items())


def test_a_figure_that_is_not_finite_fails_the_trial_and_leaves_the_weights(student_of: Callable[..., Student]) -> None:
    class Shown(CrossEntropy):
        def loss(self, batch: Batch) -> Loss:
            found = super().loss(batch)
            return Loss(value=found.value, tokens=found.tokens, figures={"size": torch.full_like(found.tokens, float("inf"))})

    student = student_of("llama")
    before = student.state()
    student._objective = Shown()
    with pytest.raises(TrialFailure, match="optimiser step 1: a figure of the objective is not finite"):
        student.train(examples_of(student), progress=(0.0, 0.1), seed=0)
    assert all(torch.equal(before[key], value) for key, value in student.state().items())


def told(teacher: LanguageModel, examples: list[Encoded]) -> Outcomes:
    """What a pass over rollouts is told of them."""
    rng = np.random.default_rng(0)
    count = len(examples)
    return Outcomes(
        reward=rng.integers(0, 2, count).astype(float),
        advantage=rng.normal(size=count),
        teacher_logprob=[-1.0 - rng.random(example.label_count) for example in examples],
        reference_logprob=[-1.0 - rng.random(example.label_count) for example in examples],
        teacher_top=teacher.label_top(examples, 4),
    )


SAMPLED = ("grpo", "rlad")


@pytest.mark.parametrize("name", ["sft", "jsd", "top-k", "tail-aware", "redi", *SAMPLED])
def test_a_step_in_micro_batches_is_the_step(name: str, folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = LanguageModel.load(folder_of("qwen2"), device="cpu")
    found = []
    for micro in (0, 40, 1):  # one pass, several, one for each example
        training = TrainingConfig(step_tokens=10_000, micro_tokens=micro, clip_norm=1e9)
        student = Student.load(
            folder_of("llama"),
            training=training,
            objective=make("objective", name),
            device="cpu",
            teacher=lambda batch, _: teacher.label_logits(batch).detach(),
        )
        examples = examples_of(student, 3)
        gradients: dict[str, torch.Tensor] = {}

        def kept(student: Student = student, gradients: dict[str, torch.Tensor] = gradients) -> None:
            gradients.update({key: each.grad.clone() for key, each in student._parameters.items() if each.grad is not None})

        monkeypatch.setattr(student._optimizer, "step", kept)
        done = student.train(examples, progress=(0.6, 0.7), seed=0, outcomes=told(teacher, examples), own=name in SAMPLED)
        found.append((done, gradients))
    (whole, expected), *others = found
    for done, gradients in others:
        np.testing.assert_allclose(done.losses, whole.losses, rtol=1e-4, atol=1e-5)
        assert {key: count for key, (_, count) in done.figures.items()} == {key: count for key, (_, count) in whole.figures.items()}
        apart = torch.nn.utils.get_total_norm([gradients[key] - gradient for key, gradient in expected.items()])
        assert 0 < torch.nn.utils.get_total_norm(expected.values()) < float("inf")
        assert apart <= 1e-6 * torch.nn.utils.get_total_norm(expected.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_activations_that_are_computed_again_give_the_same_gradient_and_are_not_kept(
    family: str, folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    gradients: list[dict[str, torch.Tensor]] = []
    kept: list[int] = []
    for checkpointing in (False, True):
        training = TrainingConfig(step_tokens=10_000, checkpointing=checkpointing, clip_norm=1e9)
        student = Student.load(folder_of(family), training=training, objective=CrossEntropy(), device="cpu")
        monkeypatch.setattr(student.model, "_lean", None)  # so that both take the same forward pass
        gradients.append({})

        def keep(student: Student = student, found: dict[str, torch.Tensor] = gradients[-1]) -> None:
            found.update({key: each.grad.clone() for key, each in student._parameters.items() if each.grad is not None})

        monkeypatch.setattr(student._optimizer, "step", keep)
        held: list[int] = []

        def pack(tensor: torch.Tensor, held: list[int] = held) -> torch.Tensor:
            held.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            student.train(examples_of(student, 3), progress=(0.0, 0.1), seed=0)
        kept.append(sum(held))
    plain, again = gradients
    apart = torch.nn.utils.get_total_norm([again[key] - gradient for key, gradient in plain.items()])
    assert apart <= 1e-6 * torch.nn.utils.get_total_norm(plain.values())
    assert kept[1] < kept[0] / 2


def test_a_network_that_cannot_compute_them_again_is_refused_in_one_line(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(student.model.network, "supports_gradient_checkpointing", False)
    with pytest.raises(ConfigError, match=r"the student cannot compute activations again: .* does not support") as raised:
        student.model.recompute_activations()
    assert raised.value.hint == "drop training.checkpointing"


def test_a_device_without_room_says_what_to_set(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(batch: Batch) -> Loss:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(student._objective, "loss", full)
    with pytest.raises(SurroundingError, match=r"too little memory for a pass over \d+ tokens") as raised:
        student.train(examples_of(student), progress=(0.0, 0.1), seed=0)
    assert "set training.micro_tokens to " in raised.value.hint


VARIANTS = {
    "bfloat16": {"weights": "bfloat16"},
    "8 bit": {"optimizer": "adamw-8bit"},
    "an adapter in bfloat16": {"weights": "bfloat16", "lora": LoraConfig(rank=4), "checkpointing": True},
    "an adapter in 8 bit": {"optimizer": "adamw-8bit", "lora": LoraConfig(rank=64), "micro_tokens": 40},
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_student_held_or_trained_another_way_learns_and_resumes_to_the_same_bits(
    variant: dict[str, Any], student_of: Callable[..., Student]
) -> None:
    def trained(steps: int, state: dict[str, torch.Tensor] | None = None, begin: int = 0) -> Student:
        student = student_of(warmup_share=0.0, **variant)
        if state is not None:
            student.restore(state)
        for step in range(begin, steps):
            student.train(examples_of(student, 4), progress=(step / 6, (step + 1) / 6), seed=step)
        return student

    whole = trained(6)
    examples = examples_of(whole, 4)
    assert whole.model.log_likelihoods(examples)[0].sum() > 0.95 * trained(0).model.log_likelihoods(examples)[0].sum()
    resumed = trained(6, trained(3).state(), begin=3)
    assert all(torch.equal(tensor, resumed.state()[name]) for name, tensor in whole.state().items())
    assert resumed.state().keys() == whole.state().keys() == trained(0).state().keys()


def test_weights_are_held_as_asked_and_an_adapter_in_full(student_of: Callable[..., Student], tmp_path: Path) -> None:
    assert {weight.dtype for weight in student_of(weights="bfloat16").model.network.parameters()} == {torch.bfloat16}
    student = student_of(weights="bfloat16", lora=LoraConfig(rank=2))
    assert {weight.dtype for weight in student._parameters.values()} == {torch.float32}
    student.model.merge_adapter()
    student.model.save_pretrained(tmp_path / "student")
    assert {tensor.dtype for tensor in safetensors.torch.load_file(tmp_path / "student" / "model.safetensors").values()} == {torch.bfloat16}


def test_moments_of_eight_bits_take_a_quarter(student_of: Callable[..., Student]) -> None:
    def moments(**training: Any) -> int:
        state = student_of("qwen2", lora=LoraConfig(rank=256), **training).state()
        return sum(tensor.nbytes for name, tensor in state.items() if not name.startswith("weight:"))

    assert moments(optimizer="adamw-8bit") < 0.35 * moments()


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_compiled_forward_computes_the_same(backend: str, student_of: Callable[..., Student], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    plain, compiled = student_of(), student_of(compile=True)
    examples = examples_of(plain)
    np.testing.assert_allclose(compiled.model.log_likelihoods(examples)[0], plain.model.log_likelihoods(examples)[0], rtol=1e-4)
    for step in range(2):  # the second has the weights that the first one's gradient made
        losses = [student.train(examples, progress=(0.4, 0.5), seed=step).losses for student in (plain, compiled)]
        np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)


def test_a_student_that_cannot_be_compiled_is_one_line(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Any:
        def call(*_: object) -> torch.Tensor:
            raise RuntimeError("no compiler\nmany lines")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.raises(SurroundingError, match=r"^the student cannot be compiled: no compiler; install") as raised:
        student.model.compile()
    assert "drop training.compile" in raised.value.hint


def test_products_of_rounded_factors_are_the_students_alone(student_of: Callable[..., Student], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "onednn_is_faster", lambda: False)
    plain, rounded = student_of(), student_of(products="bfloat16")
    examples = examples_of(plain, 4)
    seen: list[str] = []
    for student in (plain, rounded):
        student.model._lean = None
        student.model.network.register_forward_pre_hook(lambda *_: seen.append(torch.get_float32_matmul_precision()))
        network = student.model.network
        monkeypatch.setattr(student.model, "_logits_at", lambda inputs, at, call=network: call(input_ids=inputs).logits.flatten(0, 1)[at])
    rounded.train(examples, progress=(0.1, 0.2), seed=0)
    rounded.model.log_likelihoods(examples)
    assert seen
    assert set(seen) == {"medium"}
    assert torch.get_float32_matmul_precision() == "highest"
    seen.clear()
    plain.model.log_likelihoods(examples)
    rounded.model.answer(["x"], max_new_tokens=2)  # written in float32
    assert seen
    assert set(seen) == {"highest"}


def test_products_in_float32_have_the_errors_of_float32(student_of: Callable[..., Student], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever library computes them: on a CPU with units for bf16, oneDNN would round the factors."""
    a, b = torch.randn(256, 512), torch.randn(512, 256)
    student_of()
    errors = ((a @ b).double() - a.double() @ b.double()).abs().max()
    assert errors < 1e-3  # of bf16 factors it would be a tenth
    for flags, faster in (
        ({"AuthenticAMD", "avx512f"}, True),
        ({"AuthenticAMD", "avx2"}, False),
        ({"GenuineIntel", "avx512f"}, False),
        ({"AuthenticAMD", "avx512f", "amx_bf16"}, False),
    ):
        monkeypatch.setattr(cpu, "_flags", lambda flags=flags: flags)
        assert cpu.onednn_is_faster() == faster


@pytest.mark.skipif(not has_bfloat16(), reason="this CPU has no instructions for bfloat16 products")
def test_products_of_rounded_factors_are_near_and_repeat(student_of: Callable[..., Student]) -> None:
    found = []
    for kind in ("float32", "bfloat16", "bfloat16"):
        student = student_of(products=kind, warmup_share=0.0)
        examples = examples_of(student, 8)
        student.train(examples, progress=(0.0, 0.1), seed=0)
        found.append(student.model.log_likelihoods(examples)[0])
    np.testing.assert_allclose(found[1], found[0], rtol=0.02)
    np.testing.assert_array_equal(found[2], found[1])
    assert not np.array_equal(found[1], found[0])
