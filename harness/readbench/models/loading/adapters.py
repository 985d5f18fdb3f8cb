"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv 2106.09685), by peft: trained in a student, or read from a folder beside its base model.

Torch-free at import. Of a folder's adapter only what changes the model's numbers is taken, from JSON and safetensors, and what
readbench does not know is refused: the library would import modules that the folder names, and unpickle weights.
"""

import copy
import importlib.util
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from readbench.base.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ALL_LINEAR = "all-linear"  # every matrix but the output head's
SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_TAKEN = (
    "r",
    "lora_alpha",
    "target_modules",
    "exclude_modules",
    "fan_in_fan_out",
    "use_rslora",
    "use_dora",
    "rank_pattern",
    "alpha_pattern",
    "layers_to_transform",
    "layers_pattern",
    "modules_to_save",
    "trainable_token_indices",
    "lora_bias",
)
_WITHOUT_EFFECT = (  # on a trained adapter's numbers
    "auto_mapping",
    "base_model_name_or_path",
    "eva_config",
    "inference_mode",
    "loftq_config",
    "lora_dropout",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "task_type",
)


# How an adapter was begun: others (PiSSA, OLoRA, LoftQ, CorDA ...) also change the base model that it is added to.
_PLAIN_BEGINNINGS = (None, True, False, "gaussian", "eva", "orthogonal")


def check_installed() -> None:
    """ConfigError without the library."""
    if importlib.util.find_spec("peft") is None:
        raise ConfigError("adapters need peft, which is not installed", hint="pip install 'readbench[lora]'")


def is_adapter(folder: Path) -> bool:
    """Whether the folder holds an adapter instead of a model."""
    return (folder / SETTINGS).exists()


def base_reference(folder: Path) -> str:
    """The base model that an adapter names: a folder or a hub id."""
    name = _settings(folder).get("base_model_name_or_path")
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{folder / SETTINGS} names no base model", hint="set base_model_name_or_path to its folder or hub id")
    return name


def check_adapter(folder: Path) -> None:
    """ConfigError in one line for an adapter that cannot be merged, or would be misread."""
    check_installed()
    settings = _settings(folder)
    if settings.get("peft_type") != "LORA":
        raise ConfigError(f"adapter {folder} is of type {settings.get('peft_type')!r}", hint="only LoRA adapters are read")
    known = {*_TAKEN, *_WITHOUT_EFFECT, *(("bias",) if settings.get("bias") == "none" else ())}
    if settings.get("init_lora_weights") in _PLAIN_BEGINNINGS:
        known.add("init_lora_weights")
    unknown = [key for key, value in sorted(settings.items()) if value and key not in known]
    if unknown:
        raise ConfigError(
            f"adapter {folder} sets {', '.join(unknown)}, which readbench does not read",
            hint="merge it into its base model and save that (merge_and_unload)",
        )
    if not (folder / WEIGHTS).is_file():
        raise ConfigError(f"adapter {folder} has no {WEIGHTS}", hint="save it with safe_serialization; pickled weights are never read")


def _settings(folder: Path) -> dict[str, Any]:
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{folder / SETTINGS} is not valid JSON ({error})", hint="save or download the adapter again") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"{folder / SETTINGS} is not a JSON object", hint="save or download the adapter again")
    return settings


def merged(network: "PreTrainedModel", folder: Path) -> "PreTrainedModel":
    """The base model with a folder's adapter in its weights; ConfigError unless each of its tensors has its place."""
    from peft import LoraConfig, set_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    taken = {key: value for key, value in _settings(folder).items() if key in _TAKEN and value is not None}
    try:
        peft = _wrapped(network, LoraConfig(**taken))
        weights = load_file(folder / WEIGHTS)
        found: Any = set_peft_model_state_dict(peft, weights)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        first = (str(error) or type(error).__name__).strip().splitlines()[0][:200]
        raise ConfigError(f"adapter {folder} does not fit its base model ({first})", hint="give the base model that it names") from None
    missing = [name for name in found.missing_keys if "lora_" in name or "modules_to_save" in name]
    if odd := [*found.unexpected_keys, *missing]:
        raise ConfigError(f"adapter {folder} and its base model differ in {len(odd)} tensors: {odd[0]}", hint="save the adapter again")
    return cast("PreTrainedModel", peft.merge_and_unload(safe_merge=True))


def _wrapped(network: "PreTrainedModel", config: Any) -> Any:
    """The library's model around the network, which it changes in place."""
    from peft import get_peft_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks by old names, and says which way round it found a matrix
        return get_peft_model(network, config)


class Adapter:
    """An adapter in a network that is being trained: the network's own weights are frozen."""

    def __init__(self, network: "PreTrainedModel", *, rank: int, alpha: float, targets: Sequence[str] | str) -> None:
        """Begins at zero: the network computes what it did. ConfigError if a target is no matrix of it."""
        from peft import LoraConfig

        check_targets([name for name, weight in network.named_parameters() if weight.ndim == 2], targets)
        config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets if isinstance(targets, str) else list(targets))  # type: ignore[arg-type]
        self._config = config
        self._peft = _wrapped(network, config)

    def kept(self) -> "Kept":
        """What is to be saved of the adapter."""
        from peft import get_peft_model_state_dict

        return Kept(
            copy.copy(self._config),
            {n: tensor.detach().to("cpu", copy=True) for n, tensor in get_peft_model_state_dict(self._peft).items()},
        )

    def merge(self) -> "tuple[PreTrainedModel, Kept]":
        """The network with the adapter in its weights, and what is to be saved of the adapter."""
        kept = self.kept()
        return cast("PreTrainedModel", self._peft.merge_and_unload(safe_merge=True)), kept


class Kept:
    """A trained adapter, apart from its network."""

    def __init__(self, config: Any, weights: dict[str, Any]) -> None:
        self._config = config
        self._weights = weights

    def save(self, folder: Path, *, base: str) -> None:
        """As peft and `merged` read it, with `base` as its base model."""
        from safetensors.torch import save_file

        folder.mkdir()
        self._config.base_model_name_or_path = base
        self._config.inference_mode = True
        self._config.target_modules = sorted(self._config.target_modules)  # a set, whose order is by chance
        self._config.save_pretrained(folder)
        save_file(self._weights, folder / WEIGHTS)


def check_targets(matrices: Sequence[str], targets: Sequence[str] | str) -> None:
    """ConfigError if a target matches none of these parameters' names; the library would train the others alone."""
    if isinstance(targets, str):
        return
    ends = {name.removesuffix(".weight").rpartition(".")[2] for name in matrices if name.endswith(".weight")}
    if unknown := [target for target in targets if target not in ends]:
        raise ConfigError(
            f"training.lora.targets: the student has no matrix {unknown[0]!r}",
            hint=f"it has {', '.join(sorted(ends))}, or say {ALL_LINEAR}",
        )
