"""What rules that learn from feedback share: arrays that change from interval to interval, and that are the whole state."""

import json
from collections.abc import Mapping

import numpy as np

from readbench.api import Vector

_VERSION = 1


class Memory:
    """A base for rules that learn: keep all that changes in `memory`, arrays of fixed shapes, and it is saved and restored."""

    def __init__(self, memory: Mapping[str, Vector | float]) -> None:
        self.memory: dict[str, Vector] = {name: np.array(value, dtype=np.float64) for name, value in memory.items()}

    def state(self) -> bytes:
        """JSON."""
        return json.dumps({"version": _VERSION, **{name: array.tolist() for name, array in self.memory.items()}}, allow_nan=False).encode()

    def restore(self, state: bytes) -> None:
        """Takes back what `state` returned; ValueError, and nothing changed, if the bytes are not such a state."""
        try:
            fields = json.loads(state)
            if not isinstance(fields, dict) or fields.pop("version", None) != _VERSION or fields.keys() != self.memory.keys():
                raise ValueError("it has other fields")
            restored = {name: np.array(values, dtype=np.float64) for name, values in fields.items()}
        except (TypeError, ValueError) as error:
            raise ValueError(f"not a state of this allocator: {error}") from error
        if any(restored[name].shape != array.shape or not np.isfinite(restored[name]).all() for name, array in self.memory.items()):
            raise ValueError("not a state of this allocator: it belongs to another number of capabilities")
        self.memory = restored
