"""Model folders: where they are and whether they can be used. Torch-free at import.

A model is any Hugging Face causal language model folder with safetensors weights, a hub id of one, or one of the embedded
pair (``lab/teacher``, ``lab/student``), two such folders in the package; or an adapter of such a model
(`readbench.models.loading.adapters`). Nothing is unpickled, and no code from a
model folder is run.
"""

import codecs
import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from readbench.base.errors import ConfigError, SurroundingError
from readbench.base.hashing import json_hash, named_hash
from readbench.models.loading import adapters

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Weights = Literal["float32", "bfloat16", "saved"]  # how a model's weights are held; "saved": as in its folder
DECODING = "greedy-1"  # for local models; changes when the same model would answer differently
_EMBEDDED = {"lab/teacher": "teacher", "lab/student": "student"}
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
_HUB_DUPLICATES = ("original/*", "consolidated*")  # second copies of the weights in some hub folders
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tekken.json", "spiece.model", "vocab.json", "vocab.txt", "tokenizer_config.json")
_NAMED_TEMPLATES = "additional_chat_templates/*.jinja"
_TEXT_FILES = ("*.json", "*.jinja", _NAMED_TEMPLATES, "vocab.txt", "merges.txt")  # that transformers reads
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_sequence_length", "seq_length")
_SHARD = re.compile(r"[\w.-]{1,200}[.]safetensors")
_NO_LIMIT = 2**31 - 1  # models without a stated context (state-space models)
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def is_embedded(ref: str) -> bool:
    """Whether the model is one of the package's own."""
    return ref in _EMBEDDED


def resolve_model(ref: str) -> Path:
    """The folder for an embedded model, a path, or a hub id (downloads only safetensors, tokenizer and config)."""
    if ref in _EMBEDDED:
        return Path(__file__).parent / "pair" / _EMBEDDED[ref]
    folder = Path(ref).expanduser()
    if folder.is_dir():
        return folder
    if not _HUB_ID.fullmatch(ref):
        raise ConfigError(f"model folder {ref} does not exist", hint="give a folder, a hub id, lab/teacher or lab/student")
    return _download(ref)


def resolve_tokenizer(ref: str) -> Path:
    """Like `resolve_model`, but downloads only the tokenizer of a hub id."""
    if ref in _EMBEDDED or Path(ref).expanduser().is_dir() or not _HUB_ID.fullmatch(ref):
        return resolve_model(ref)
    return _download(ref, _TOKENIZER_FILES)


def _download(hub_id: str, patterns: Sequence[str] = _HUB_FILES) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(patterns), ignore_patterns=list(_HUB_DUPLICATES)))
    except GatedRepoError:
        raise ConfigError(f"model {hub_id} is gated", hint="accept its licence on the hub and set HF_TOKEN") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise ConfigError(f"model {hub_id} is neither a folder nor on the hub", hint="check its name, or set HF_TOKEN") from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError):
        raise ConfigError(
            f"model {hub_id} is neither a folder nor in the hub's cache, and the hub cannot be reached",
            hint="give a folder, download it first, or unset HF_HUB_OFFLINE",
        ) from None


def base_of(path: Path) -> Path:
    """The folder with the model's config and weights: of an adapter its base model's, else the folder itself."""
    if not adapters.is_adapter(path):
        return path
    base = resolve_model(adapters.base_reference(path))
    if adapters.is_adapter(base):
        raise ConfigError(f"the base model of adapter {path} is an adapter itself", hint="merge that one into its own base model")
    return base


def tokenizer_of(path: Path) -> Path:
    """The folder with the model's tokenizer: an adapter may have its own."""
    return path if _has_tokenizer(path) else base_of(path)


def _has_tokenizer(path: Path) -> bool:
    return any((path / name).is_file() for name in _TOKENIZER_FILES)


def check_model(path: Path) -> None:
    """ConfigError (one line, a hint) for a model that cannot be loaded or would be misread; reads only the weights' names."""
    if not path.is_dir():
        raise ConfigError(f"model folder {path} does not exist", hint="give a folder with config.json, tokenizer and safetensors weights")
    _check_marks(path)
    if adapters.is_adapter(path):
        adapters.check_adapter(path)
        check_model(base_of(path))
        return
    config = read_config(path)
    if (path / "generation_config.json").exists():
        _read_object(path / "generation_config.json")  # transformers ignores a damaged one, and with it the tokens that end an answer
    if config.get("is_encoder_decoder") is True:
        raise ConfigError(f"model {path} is an encoder-decoder, not a causal language model", hint="give a causal language model")
    if not _has_tokenizer(path):
        raise ConfigError(f"model folder {path} has no tokenizer", hint="save the tokenizer with the weights (save_pretrained)")
    _check_weights(path)
    if "auto_map" in config and not _is_native(str(config.get("model_type", ""))):
        raise ConfigError(
            f"model {path} needs code from its own folder (auto_map), which is never run", hint="use a model that transformers knows"
        )


def check_trainable(path: Path) -> None:
    """ConfigError for a model that readbench can load, but neither train nor save."""
    method = read_config(base_of(path)).get("quantization_config")
    if method is not None:
        name = method.get("quant_method", "an unnamed method") if isinstance(method, dict) else method
        raise ConfigError(f"student {path} is quantized ({name}), and readbench trains full weights", hint="give the unquantized model")


def read_config(path: Path) -> dict[str, Any]:
    """The folder's config.json; ConfigError if it is missing or not a JSON object with a model type."""
    file = path / "config.json"
    if not file.is_file():
        raise ConfigError(f"model folder {path} has no config.json", hint="give a folder written by save_pretrained")
    config = _read_object(file)
    if not isinstance(config.get("model_type"), str):
        raise ConfigError(f"{file} names no model_type", hint="give a folder written by save_pretrained")
    return config


def _read_object(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not valid JSON ({error})", hint="save or download the model again") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{file} is not a JSON object", hint="save or download the model again")
    return document


def _check_marks(path: Path) -> None:
    """Refuses a byte order mark: transformers fails on one in JSON, and copies one from a template into every prompt."""
    for file in sorted(file for pattern in _TEXT_FILES for file in path.glob(pattern) if file.is_file()):
        try:
            with file.open("rb") as stream:
                marked = stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
        except OSError as error:
            raise ConfigError(f"cannot read {file}: {error.strerror}", hint="save or download the model again") from None
        if marked:
            raise ConfigError(f"{file} begins with a byte order mark, which transformers cannot read", hint="save it as UTF-8 without one")


def _check_weights(path: Path) -> None:
    index = path / "model.safetensors.index.json"
    if index.is_file():
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ConfigError(f"{index} is damaged", hint="save or download the model again") from None
        if not all(isinstance(shard, str) and _SHARD.fullmatch(shard) for shard in shards):
            raise ConfigError(f"{index} names weights that are not in its folder", hint="save or download the model again")
        missing = sorted(shard for shard in shards if not (path / shard).is_file())
        if missing:
            raise ConfigError(f"model folder {path} lacks {len(missing)} weight file(s): {missing[0]}", hint="download the model again")
    elif not (path / "model.safetensors").is_file():
        pickled = next(iter(sorted([*path.glob("*.bin"), *path.glob("*.pt"), *path.glob("*.pth")])), None)
        if pickled is not None:
            raise ConfigError(
                f"model folder {path} has only pickled weights ({pickled.name}), which are never read",
                hint="convert them to safetensors (save_pretrained of a current transformers)",
            )
        raise ConfigError(f"model folder {path} has no model.safetensors", hint="give a folder written by save_pretrained")


def _is_native(model_type: str) -> bool:
    from transformers import CONFIG_MAPPING

    return model_type in CONFIG_MAPPING


def fingerprint(path: Path) -> str:
    """Identifies config, tokenizer and weights by a hash of their names and contents; an adapter with its base model."""
    files = sorted(file for pattern in (*_HUB_FILES, _NAMED_TEMPLATES) for file in path.glob(pattern))
    own = _digest(path, tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in files))
    return json_hash([own, fingerprint(base_of(path))]) if adapters.is_adapter(path) else own


@functools.lru_cache(maxsize=16)
def _digest(path: Path, files: tuple[tuple[Path, int, int], ...]) -> str:
    # cached by size and modification time: an 8 B model has 16 GB to read, and every trial asks
    return named_hash((file.relative_to(path).as_posix(), file) for file, _, _ in files)


def load_tokenizer(path: Path) -> "PreTrainedTokenizerBase":
    """The folder's tokenizer; ConfigError if it cannot be read or has no end-of-sequence token (EOS is a label)."""
    from transformers import AutoTokenizer

    check_model(path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_of(path), trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise ConfigError(f"the tokenizer in {path} cannot be loaded ({_first_line(error)})", hint="save the tokenizer again") from None
    if tokenizer.eos_token_id is None:
        raise ConfigError(f"the tokenizer in {path} has no end-of-sequence token", hint="set eos_token and save it again")
    return tokenizer


def load_causal_lm(path: Path, device: str, weights: Weights = "float32") -> "PreTrainedModel":
    """The folder's model on a resolved device, in evaluation mode; ConfigError if weights are missing or damaged."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    check_model(path)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # its report of odd keys has 60 lines; the important part is checked below
    model: PreTrainedModel
    info: dict[str, Any]
    try:
        model, info = AutoModelForCausalLM.from_pretrained(  # type: ignore[misc]
            base_of(path),
            dtype="auto" if weights == "saved" else getattr(torch, weights),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise ConfigError(
            f"model {path} cannot be loaded ({_first_line(error)})", hint="give a causal language model in safetensors"
        ) from None
    if info["missing_keys"]:  # transformers would fill them with random numbers
        missing, unexpected = sorted(info["missing_keys"]), sorted(info["unexpected_keys"])
        prefix = next((key.removesuffix(missing[0]) for key in unexpected if key.endswith(missing[0])), "")
        hint = f"its weights carry the prefix {prefix}: save the model that is wrapped" if prefix else "save or download it again"
        raise ConfigError(f"model {path} lacks {len(missing)} weights of its config: {missing[0]}", hint=hint)
    if adapters.is_adapter(path):
        model = adapters.merged(model, path)
    model.to(torch.device(device)).eval()  # type: ignore[arg-type]
    return model


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:200]


def context_length(path: Path) -> int:
    """The model's maximum number of tokens, from its config."""
    config = read_config(base_of(path))
    for part in (config, config.get("text_config") or {}):
        for key in _CONTEXT_KEYS:
            if isinstance(part, dict) and type(part.get(key)) is int:
                return int(part[key])
    return _NO_LIMIT


def uses_gpu(device: str) -> bool:
    """Whether this setting means a GPU, by what the system says and without torch, whose import takes seconds."""
    return device.startswith("cuda") or (device == "auto" and Path("/proc/driver/nvidia/version").exists())


def resolve_device(device: str) -> str:
    """The device for a setting; "auto" is the first GPU if there is one, else the CPU. SurroundingError if it is not there."""
    if not _DEVICE.fullmatch(device):
        raise ConfigError(f"device is {device!r}", hint="it must be auto, cpu, cuda or cuda:N")
    if device == "cpu":
        return device
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return "cuda:0" if count else "cpu"
    index = int(device.partition(":")[2] or 0)
    if index >= count:
        raise SurroundingError(f"device {device} is not there ({count} CUDA devices are visible)", hint="use --device cpu")
    return f"cuda:{index}"
