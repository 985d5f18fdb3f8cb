"""What a model folder's weights are, from the headers of its safetensors files: reads no weights, imports no torch."""

import json
import math
import struct
from pathlib import Path

from readbench.base.errors import ConfigError
from readbench.models.folder import base_of

Shape = tuple[int, ...]


def shapes(model: Path) -> dict[str, Shape]:
    """The shape of each tensor, by name; of an adapter its base model's. ConfigError for a header that cannot be read."""
    found: dict[str, Shape] = {}
    for file in base_of(model).glob("*.safetensors"):
        with file.open("rb") as stream:
            try:
                (length,) = struct.unpack("<Q", stream.read(8))
                header = json.loads(stream.read(min(length, 1 << 26)))
                found |= {name: tuple(map(int, tensor["shape"])) for name, tensor in header.items() if name != "__metadata__"}
            except (struct.error, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
                raise ConfigError(f"{file} is damaged: its header cannot be read", hint="save or download the model again") from error
    return found


def num_parameters(model: Path) -> int:
    """The number of parameters."""
    return sum(map(math.prod, shapes(model).values()))
