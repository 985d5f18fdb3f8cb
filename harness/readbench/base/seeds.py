"""Derived seeds: every random choice has its own, named by what it is for, never taken from a global generator.

A seed is the first 8 bytes of blake2b over the parts (architecture: run seed, purpose, capability, slot ...), so that no
choice depends on the order in which others were made, on the process, or on the number of workers.
"""

import hashlib


def derive_seed(*parts: int | str) -> int:
    """A 64-bit seed; parts are length-prefixed, so that ("a", "bc") and ("ab", "c") differ."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        encoded = f"{type(part).__name__}:{part}".encode()
        digest.update(len(encoded).to_bytes(4, "little") + encoded)
    return int.from_bytes(digest.digest(), "little")
