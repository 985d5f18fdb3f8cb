"""What is known of an identifier without torch: whose encoder it needs, and which capabilities it knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from readbench.base.documents import STRICT, typed
from readbench.base.errors import ConfigError, near_match
from readbench.base.files import read_json
from readbench.base.hashing import named_hash
from readbench.models.folder import fingerprint, resolve_model

NOTES, HEAD = "identifier.json", "head.safetensors"


@dataclass(frozen=True, kw_only=True)
class IdentifierNotes:
    """The file ``identifier.json``."""

    encoder: str  # a folder or hub id
    encoder_fingerprint: str
    width: int  # d, of the encoder's vectors
    capabilities: tuple[str, ...]  # K
    tasks: tuple[str, ...]  # on which it was fitted
    entropy: float  # λ
    schema: int = 1

    __pydantic_config__ = STRICT


def read_notes(folder: Path) -> IdentifierNotes:
    """The notes of the identifier in a folder; ConfigError if there is none."""
    file = folder / NOTES
    if not file.is_file():
        raise ConfigError(f"{folder} holds no identifier", hint="readbench requirement fit makes one")
    document = read_json(file)
    notes = typed(IdentifierNotes, document if isinstance(document, dict) else {}, str(file))
    if notes.schema != 1:
        raise ConfigError(f"{file}: schema {notes.schema} is not known", hint="this version reads schema 1")
    return notes


def check_identifier(folder: Path, capabilities: Sequence[str]) -> str:
    """The fingerprint of the identifier in a folder, its encoder's included.

    ConfigError if it does not know one of the suite's capabilities, or its encoder is not the one that it was fitted with.
    """
    notes = read_notes(folder)
    for capability in capabilities:
        if capability not in notes.capabilities:
            raise ConfigError(
                f"identifier {folder} knows no capability {capability!r}", hint=f"{near_match(capability, notes.capabilities)}; fit it anew"
            )
    encoder = fingerprint(resolve_model(notes.encoder))
    if encoder != notes.encoder_fingerprint:
        raise ConfigError(f"identifier {folder} was fitted with another encoder than {notes.encoder} is now", hint="fit it anew")
    return named_hash([(NOTES, folder / NOTES), (HEAD, folder / HEAD)])
