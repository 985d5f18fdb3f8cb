"""Model folders: every unusable one costs one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from readbench.base.errors import ConfigError, SurroundingError
from readbench.models.folder import (
    check_model,
    check_trainable,
    context_length,
    fingerprint,
    load_causal_lm,
    load_tokenizer,
    resolve_device,
    resolve_model,
    resolve_tokenizer,
)


@pytest.fixture
def folder(folder_of: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder_of("llama"), tmp_path / "model"))


def rewrite_config(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def remove_tokenizer(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def sharded_with_a_hole(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def foreign_code(folder: Path) -> None:
    rewrite_config(folder, model_type="homemade", auto_map={"AutoModelForCausalLM": "modeling.Homemade"})


UNUSABLE = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "no config.json"),
    "damaged config": (lambda folder: (folder / "config.json").write_text('{"model_type": '), "not valid JSON"),
    "no object": (lambda folder: (folder / "config.json").write_text("[]"), "config.json is not a JSON object"),
    "damaged generation": (lambda folder: (folder / "generation_config.json").write_text("{"), "generation_config.json is not valid"),
    "no generation object": (lambda folder: (folder / "generation_config.json").write_text("null"), "generation_config.json is not a JSON"),
    "no model type": (lambda folder: rewrite_config(folder, model_type=None), "names no model_type"),
    "no tokenizer": (remove_tokenizer, "no tokenizer"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "no model.safetensors"),
    "pickle": (pickled, "pickled weights (pytorch_model.bin)"),
    "missing shard": (sharded_with_a_hole, "model-00002-of-00002.safetensors"),
    "damaged index": (lambda folder: (folder / "model.safetensors.index.json").write_text("{"), "damaged"),
    "remote code": (foreign_code, "auto_map"),
}


@pytest.mark.parametrize(("damage", "message"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_folder_is_one_line_with_a_hint(folder: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(folder)
    with pytest.raises(ConfigError) as caught:
        check_model(folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "merges.txt",
        "weights of shards",
    ],
)
def test_a_byte_order_mark_is_refused_in_a_line_that_names_the_file(name: str, folder: Path) -> None:
    if name == "weights of shards":
        load_causal_lm(folder, "cpu").save_pretrained(folder, max_shard_size="20KB")
        (folder / "model.safetensors").unlink()
        name = "model.safetensors.index.json"
    elif name in ("chat_template.jinja", "merges.txt"):
        (folder / name).write_text("{{ messages[0].content }}")
    check_model(folder)
    (folder / name).write_text((folder / name).read_text(encoding="utf-8"), encoding="utf-8-sig")
    with pytest.raises(ConfigError) as caught:
        check_model(folder)
    assert str(caught.value).startswith(f"{folder / name} begins with a byte order mark")
    assert caught.value.hint == "save it as UTF-8 without one"


def test_a_quantised_student_is_refused_before_it_is_trained(folder: Path) -> None:
    check_trainable(folder)
    rewrite_config(folder, quantization_config={"quant_method": "gguf"})
    with pytest.raises(ConfigError, match=r"is quantized \(gguf\), and readbench trains full weights"):
        check_trainable(folder)


def test_a_native_model_with_an_auto_map_is_fine(folder: Path) -> None:
    rewrite_config(folder, auto_map={"AutoModelForCausalLM": "modeling.Homemade"})
    check_model(folder)
    assert type(load_causal_lm(folder, "cpu")).__module__.startswith("transformers.")


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda _: b"", lambda b: b"\xff" * 8 + b[8:]])
def test_damaged_weights_are_one_line(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_causal_lm(folder, "cpu")


def test_missing_weights_are_not_filled_with_random_numbers(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"lacks 1 weights.*up_proj"):
        load_causal_lm(folder, "cpu")


def test_a_model_that_is_no_causal_lm_is_one_line(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "clip"}))
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_causal_lm(folder, "cpu")


def test_a_tokenizer_without_eos_is_refused(folder: Path) -> None:
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text())
    del config["eos_token"]
    file.write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="no end-of-sequence token"):
        load_tokenizer(folder)


def test_weights_are_fp32_whatever_the_folder_says(folder: Path) -> None:
    load_causal_lm(folder, "cpu").to(torch.bfloat16).save_pretrained(folder)
    assert load_causal_lm(folder, "cpu").dtype == torch.float32


@pytest.mark.parametrize("ref", ["./nowhere", "/no/such/model", "a/b/c", ""])
def test_a_path_that_does_not_exist_is_not_looked_up_on_the_hub(ref: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if ref:
        with pytest.raises(ConfigError, match="does not exist"):
            resolve_model(ref)
    else:
        assert resolve_model(ref) == Path()


def test_an_unreachable_hub_is_one_line() -> None:
    with pytest.raises(ConfigError, match="neither a folder nor in the hub's cache"):
        resolve_model("nobody/nothing")


def test_of_a_hub_id_only_the_tokenizer_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def download(hub_id: str, *, allow_patterns: list[str], ignore_patterns: list[str]) -> str:
        asked.extend([hub_id, *allow_patterns])
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert resolve_tokenizer("org/large") == tmp_path
    assert asked[0] == "org/large"
    assert not [pattern for pattern in asked if "safetensors" in pattern or pattern.startswith("*")]
    assert resolve_tokenizer("lab/teacher") == resolve_model("lab/teacher")


def test_the_embedded_pair_lies_in_the_package() -> None:
    assert resolve_model("lab/teacher").parts[-3:] == ("models", "pair", "teacher")
    assert resolve_model("lab/student").name == "student"


def test_the_fingerprint_is_of_the_content(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "elsewhere"))
    assert fingerprint(copy) == fingerprint(folder)
    rewrite_config(copy, rms_norm_eps=1e-5)
    changed = fingerprint(copy)
    assert changed != fingerprint(folder)
    (copy / "additional_chat_templates").mkdir()
    (copy / "additional_chat_templates" / "rag.jinja").write_text("{{ messages[0].content }}")
    assert fingerprint(copy) not in (changed, fingerprint(folder))


def test_the_context_is_read_from_the_config(folder: Path) -> None:
    assert context_length(folder) == 96
    rewrite_config(folder, max_position_embeddings=None, text_config={"max_position_embeddings": 55})
    assert context_length(folder) == 55
    rewrite_config(folder, text_config=None)
    assert context_length(folder) > 10**9


def test_devices() -> None:
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") == ("cuda:0" if torch.cuda.is_available() else "cpu")
    with pytest.raises(SurroundingError, match="not there"):
        resolve_device("cuda:99")
    with pytest.raises(ConfigError, match="it must be auto, cpu, cuda"):
        resolve_device("tpu")
