"""A model folder from a stranger: its Python files are never imported, its pickles never opened, its links not followed out of it.

Each folder carries a trap that would leave a canary file; the canary must not be there, and the refusal is one line.
"""

import contextlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readbench.base.errors import ConfigError
from readbench.models.folder import check_model, load_causal_lm, load_tokenizer, resolve_model


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.canary,)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A copy of the embedded student, which can really be loaded."""
    return Path(shutil.copytree(resolve_model("lab/student"), tmp_path / "lab"))


def refused(readbench: Callable[..., Any], folder: Path, said: str) -> None:
    for flag in ("--student", "--teacher"):
        outcome = readbench("run", "--suite", "reasoning", flag, folder, "--out", folder.parent / "run")
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err.startswith("error: ")
        assert outcome.err.count("\n") == 1
        assert said in outcome.err
        assert not (folder.parent / "run").exists()


def test_the_trap_works(canary: Path) -> None:
    pickle.loads(pickle.dumps(Trap(canary)))  # noqa: S301 - that is what it is for
    assert canary.exists()


def spring(folder: Path, canary: Path) -> None:
    """Python files of every name that transformers would look for."""
    for name in ("modeling", "modeling_mine", "configuration_mine", "tokenization_mine", "__init__", "generate"):
        (folder / f"{name}.py").write_text(f"from pathlib import Path\nPath({str(canary)!r}).touch()\nclass Mine: pass\n")


def test_code_of_a_model_s_own_is_refused(readbench: Callable[..., Any], model: Path, canary: Path) -> None:
    spring(model, canary)
    auto_map = {"AutoConfig": "configuration_mine.Mine", "AutoModelForCausalLM": "modeling_mine.Mine"}
    (model / "config.json").write_text(json.dumps({"model_type": "mine", "auto_map": auto_map}))
    refused(readbench, model, "needs code from its own folder (auto_map), which is never run")
    assert not canary.exists()


def test_an_unknown_model_type_without_auto_map_is_refused_as_well(model: Path, canary: Path) -> None:
    spring(model, canary)
    (model / "config.json").write_text(json.dumps({"model_type": "mine", "architectures": ["modeling_mine.Mine"]}))
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_causal_lm(model, "cpu")
    assert not canary.exists()


def test_code_beside_a_known_model_is_left_alone(lab: Path, canary: Path) -> None:
    """A known type wins over auto_map: the folder is loaded by transformers' own classes."""
    spring(lab, canary)
    config = json.loads((lab / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "configuration_mine.Mine", "AutoModelForCausalLM": "modeling_mine.Mine"}
    (lab / "config.json").write_text(json.dumps(config))
    check_model(lab)
    assert type(load_causal_lm(lab, "cpu")).__module__.startswith("transformers.")
    assert not canary.exists()


def test_a_tokenizer_s_own_code_is_never_run(lab: Path, canary: Path) -> None:
    spring(lab, canary)
    file = lab / "tokenizer_config.json"
    settings = json.loads(file.read_text())
    settings |= {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["tokenization_mine.Mine", "tokenization_mine.Mine"]}}
    file.write_text(json.dumps(settings))
    with contextlib.suppress(ConfigError):  # refused, or read by transformers' own class: as its version will have it
        assert type(load_tokenizer(lab)).__module__.startswith("transformers.")
    assert not canary.exists()


def test_pickled_weights_are_refused_unopened(readbench: Callable[..., Any], model: Path, canary: Path) -> None:
    (model / "model.safetensors").unlink()
    for name in ("pytorch_model.bin", "model.pt", "weights.pth"):
        (model / name).write_bytes(pickle.dumps(Trap(canary)))
    refused(readbench, model, "has only pickled weights (model.pt), which are never read")
    with pytest.raises(ConfigError, match="only pickled weights"):
        load_causal_lm(model, "cpu")
    assert not canary.exists()


def test_pickled_files_beside_safetensors_are_not_opened(lab: Path, canary: Path) -> None:
    for name in ("pytorch_model.bin", "training_args.bin", "adapter_model.bin", "optimizer.pt"):
        (lab / name).write_bytes(pickle.dumps(Trap(canary)))
    load_causal_lm(lab, "cpu")
    load_tokenizer(lab)
    assert not canary.exists()


def test_safetensors_that_are_a_pickle_are_refused(lab: Path, canary: Path) -> None:
    (lab / "model.safetensors").write_bytes(pickle.dumps(Trap(canary)))
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_causal_lm(lab, "cpu")
    assert not canary.exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"base_model_name_or_path": "/somewhere/else"}, "/somewhere/else does not exist"),
        ({"base_model_name_or_path": "lab/student"}, "has no adapter_model.safetensors"),
        ({"base_model_name_or_path": "lab/student", "megatron_config": {"a": 1}, "megatron_core": "modeling"}, "sets megatron_config"),
    ],
)
def test_an_adapter_brings_no_code(settings: dict[str, Any], said: str, readbench: Callable[..., Any], model: Path, canary: Path) -> None:
    """It names another model to load and a module to import, and its weights may be pickled."""
    (model / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", **settings}))
    (model / "adapter_model.bin").write_bytes(pickle.dumps(Trap(canary)))
    if said.startswith("/somewhere"):
        (model / "adapter_model.safetensors").write_bytes(b"")
    refused(readbench, model, said)
    assert not canary.exists()


@pytest.mark.parametrize("shard", ["../outside.safetensors", "/etc/passwd", "a/b.safetensors", "pytorch_model.bin", 3, ["x"], None])
def test_an_index_names_weights_beside_it_only(model: Path, shard: Any) -> None:
    (model.parent / "outside.safetensors").write_bytes(b"")
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": shard}}))
    with pytest.raises(ConfigError, match=r"names weights that are not in its folder|is damaged"):
        check_model(model)


def test_a_chat_template_cannot_reach_python(lab: Path, canary: Path) -> None:
    """Templates come with the tokenizer; transformers renders them in Jinja's sandbox, and this holds it to that."""
    file = lab / "tokenizer_config.json"
    settings = json.loads(file.read_text())
    code = "{{ cycler.__init__.__globals__.__builtins__.open(" + repr(str(canary)) + ", 'w') }}"
    settings["chat_template"] = code
    file.write_text(json.dumps(settings))
    (lab / "chat_template.jinja").write_text(code)
    from readbench.models.text import render

    with pytest.raises(ConfigError, match="cannot be rendered"):
        render(load_tokenizer(lab), "2+2")
    assert not canary.exists()
