"""Derived seeds: every random choice has its own, named by its purpose, never from a global generator.

A seed is an 8-byte digest of its parts (run seed, purpose, capability, slot ...), so that no choice depends on
the order of other choices, on the process, or on the number of workers.
"""

from readbench.base.hashing import parts_digest


def derive_seed(*parts: int | str) -> int:
    """A 64-bit seed; parts are length-prefixed, so ("a", "bc") and ("ab", "c") differ."""
    encoded = (f"{type(part).__name__}:{part}".encode() for part in parts)
    return int.from_bytes(parts_digest(encoded, prefix_bytes=4, size=8), "little")
