"""What the CPU can do (torch-free: a run is planned with it)."""

import functools
from pathlib import Path
from typing import Literal

Products = Literal["float32", "bfloat16"]  # the factors of a matrix product
_ROUNDING = frozenset({"amx_bf16", "bf16"})  # instructions for bf16 products that oneDNN uses on fp32 numbers: of x86, and of Arm


@functools.cache
def _flags() -> frozenset[str]:
    """The CPU's instruction sets, and its vendor, as the kernel names them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    except OSError:
        return frozenset()
    found = {name.strip(): text.split() for name, _, text in (line.partition(":") for line in lines)}
    return frozenset(word for name in ("flags", "Features", "vendor_id") for word in found.get(name, ()))


def has_bfloat16() -> bool:
    """Whether rounded factors are multiplied faster here."""
    return bool(_flags() & _ROUNDING)


def onednn_is_faster() -> bool:
    """Whether products in float32 are left to oneDNN."""
    return {"AuthenticAMD", "avx512f"} <= _flags() and not has_bfloat16()
