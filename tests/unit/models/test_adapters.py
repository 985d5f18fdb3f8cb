"""Adapters: a folder beside its base model is one student, what readbench cannot read is refused, and a merged one changes nothing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from readbench.base.errors import ConfigError
from readbench.base.plugins import make
from readbench.models.folder import check_model, context_length, fingerprint, load_causal_lm, load_tokenizer
from readbench.models.language_model import LanguageModel
from readbench.models.loading.adapters import SETTINGS, WEIGHTS
from readbench.models.loading.headers import num_parameters
from readbench.students.schedule import LoraConfig as LoraSettings
from readbench.students.schedule import TrainingConfig
from readbench.students.student import Student
from support.models import PAIRS

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # the library's own calls here
FAMILIES = ("llama", "gpt2", "qwen2")
INPUTS = torch.arange(24).reshape(2, 12)


def trained(folder: Path, **lora: Any) -> Student:
    training = TrainingConfig(warmup_share=0.0, learning_rate=1e-2, lora=LoraSettings(rank=4, **lora))
    student = Student.load(folder, training=training, objective=make("objective", "sft"), device="cpu", seed=3)
    examples = [student.model.encode(prompt, answer) for prompt, answer in PAIRS * 4]
    for step in range(4):
        student.train(examples, progress=(step / 4, (step + 1) / 4), seed=step)
    return student


@pytest.fixture
def theirs(folder_of: Callable[[str], Path], tmp_path: Path) -> Path:
    """An adapter that the library wrote, of a llama, with random weights."""
    base = folder_of("llama")
    network = load_causal_lm(base, "cpu")
    wrapped = get_peft_model(network, LoraConfig(r=2, lora_alpha=8, target_modules=["q_proj", "down_proj"], init_lora_weights=False))
    wrapped.peft_config["default"].base_model_name_or_path = str(base)
    wrapped.save_pretrained(str(tmp_path / "adapter"))
    return tmp_path / "adapter"


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_adapter_is_trained_and_kept_for_a_resume(family: str, folder_of: Callable[[str], Path]) -> None:
    student = trained(folder_of(family))
    before = load_causal_lm(folder_of(family), "cpu").state_dict()
    after = student.model.network.state_dict()
    frozen = {name.replace(".base_layer", ""): tensor for name, tensor in after.items() if "lora_" not in name}
    assert all(torch.equal(before[name], tensor) for name, tensor in frozen.items())
    assert frozen.keys() == before.keys()
    state = student.state()
    assert state
    assert all("lora_" in name for name in state)
    assert sum(tensor.numel() for tensor in state.values()) < num_parameters(folder_of(family)) * 3
    again = trained(folder_of(family))
    again.train([again.model.encode(*PAIRS[0])], progress=(0.0, 1.0), seed=9)
    assert not all(torch.equal(tensor, again.state()[name]) for name, tensor in state.items())
    again.restore(state)
    assert all(torch.equal(tensor, again.state()[name]) for name, tensor in state.items())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_merged_student_is_the_adapter_with_its_base(family: str, folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    student = trained(folder_of(family))
    with torch.inference_mode():
        unmerged = student.model.network(input_ids=INPUTS).logits
    student.model.merge_adapter()
    student.model.save_pretrained(tmp_path / "student", base=str(folder_of(family)))
    base = load_causal_lm(folder_of(family), "cpu")
    with torch.inference_mode():
        assert not torch.allclose(unmerged, base(input_ids=INPUTS).logits, atol=1e-2)
        for folder in (tmp_path / "student", tmp_path / "student" / "adapter"):
            check_model(folder)
            merged = load_causal_lm(folder, "cpu")
            torch.testing.assert_close(merged(input_ids=INPUTS).logits, unmerged, rtol=1e-4, atol=1e-5)
        theirs = PeftModel.from_pretrained(base, str(tmp_path / "student" / "adapter"))
        torch.testing.assert_close(theirs(input_ids=INPUTS).logits, unmerged, rtol=1e-5, atol=1e-6)


def test_the_adapter_is_drawn_by_its_seed_alone(folder_of: Callable[[str], Path]) -> None:
    def drawn(seed: int, noise: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(noise)
        training = TrainingConfig(lora=LoraSettings(rank=2))
        return Student.load(folder_of("llama"), training=training, objective=make("objective", "sft"), device="cpu", seed=seed).state()

    first, same, other = drawn(1, 5), drawn(1, 6), drawn(2, 5)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_named_targets_have_an_adapter_each(folder_of: Callable[[str], Path]) -> None:
    state = trained(folder_of("llama"), targets="q_proj, v_proj").state()
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in state} == {"q_proj", "v_proj"}


@pytest.mark.parametrize("targets", ["nope", "q_proj,nope"])
def test_a_target_that_matches_nothing_is_refused(targets: str, folder_of: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match=r"training.lora.targets: the student has no matrix 'nope'") as caught:
        trained(folder_of("llama"), targets=targets)
    assert "q_proj" in caught.value.hint


def test_an_adapter_folder_is_its_base_with_the_adapter(theirs: Path, folder_of: Callable[[str], Path]) -> None:
    base = folder_of("llama")
    check_model(theirs)
    ours = LanguageModel.load(theirs, device="cpu")
    library = PeftModel.from_pretrained(load_causal_lm(base, "cpu"), str(theirs))
    with torch.inference_mode():
        expected = library(input_ids=INPUTS).logits
        torch.testing.assert_close(ours.network(input_ids=INPUTS).logits, expected, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(load_causal_lm(base, "cpu")(input_ids=INPUTS).logits, expected, atol=1e-2)
    assert ours.context == context_length(base)
    assert load_tokenizer(theirs).get_vocab() == load_tokenizer(base).get_vocab()
    assert num_parameters(theirs) == num_parameters(base)


def test_its_fingerprint_is_of_both(theirs: Path, tmp_path: Path) -> None:
    known = fingerprint(theirs)
    settings = json.loads((theirs / SETTINGS).read_text())
    copied = Path(shutil.copytree(settings["base_model_name_or_path"], tmp_path / "base"))
    (theirs / SETTINGS).write_text(json.dumps({**settings, "base_model_name_or_path": str(copied)}))
    here = fingerprint(theirs)
    assert here != known  # its settings name another place
    weights = load_file(copied / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in weights.items()}, copied / "model.safetensors", metadata={"format": "pt"})
    assert fingerprint(theirs) != here


def rewrite(folder: Path, **changes: object) -> None:
    (folder / SETTINGS).write_text(json.dumps({**json.loads((folder / SETTINGS).read_text()), **changes}))


def adapter_of_an_adapter(folder: Path) -> None:
    rewrite(folder, base_model_name_or_path=str(shutil.copytree(folder, folder.parent / "inner")))


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "damaged settings": (lambda folder: (folder / SETTINGS).write_text("{"), "is not valid JSON"),
    "no settings object": (lambda folder: (folder / SETTINGS).write_text("[]"), "is not a JSON object"),
    "another kind": (lambda folder: rewrite(folder, peft_type="IA3"), "of type 'IA3'"),
    "an imported module": (lambda folder: rewrite(folder, megatron_config={"a": 1}), "sets megatron_config, which readbench does not read"),
    "replicated layers": (lambda folder: rewrite(folder, layer_replication=[[0, 1], [0, 1]]), "sets layer_replication"),
    "a trained bias": (lambda folder: rewrite(folder, bias="all"), "sets bias"),
    "another base by its beginning": (lambda folder: rewrite(folder, init_lora_weights="pissa_niter_4"), "sets init_lora_weights"),
    "no base": (lambda folder: rewrite(folder, base_model_name_or_path=None), "names no base model"),
    "a base that is not there": (lambda folder: rewrite(folder, base_model_name_or_path="/nowhere/else"), "/nowhere/else does not exist"),
    "an adapter of an adapter": (adapter_of_an_adapter, "is an adapter itself"),
    "pickled weights": (lambda folder: (folder / WEIGHTS).rename(folder / "adapter_model.bin"), f"has no {WEIGHTS}"),
}


@pytest.mark.parametrize(("damage", "message"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_adapter_that_cannot_be_read_is_one_line(theirs: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(theirs)
    with pytest.raises(ConfigError) as caught:
        check_model(theirs)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def without(folder: Path, part: str) -> None:
    kept = {name: tensor for name, tensor in load_file(folder / WEIGHTS).items() if part not in name}
    save_file(kept, folder / WEIGHTS)


def with_more(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    name = next(iter(weights))
    save_file({**weights, name.replace("layers.0", "layers.77"): weights[name].clone()}, folder / WEIGHTS)


MISFITS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a tensor missing": (lambda folder: without(folder, "layers.0.self_attn.q_proj.lora_B"), "differ in 1 tensors"),
    "a tensor too many": (with_more, "differ in 1 tensors"),
    "another rank": (lambda folder: rewrite(folder, r=3), "does not fit its base model"),
    "targets that are not there": (lambda folder: rewrite(folder, target_modules=["nope"]), "does not fit its base model"),
    "damaged weights": (lambda folder: (folder / WEIGHTS).write_bytes(b"damaged"), "does not fit its base model"),
}


@pytest.mark.parametrize(("damage", "message"), MISFITS.values(), ids=MISFITS.keys())
def test_an_adapter_of_another_model_is_refused_when_it_is_loaded(theirs: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(theirs)
    with pytest.raises(ConfigError) as caught:
        load_causal_lm(theirs, "cpu")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_saved_settings_do_not_depend_on_the_order_of_a_set(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    student = trained(folder_of("llama"))
    student.model.merge_adapter()
    student.model.save_pretrained(tmp_path / "student", base="lab/student")
    targets = json.loads((tmp_path / "student" / "adapter" / SETTINGS).read_text())["target_modules"]
    assert targets == sorted(targets)
    assert len(targets) == 14  # seven matrices of each layer
