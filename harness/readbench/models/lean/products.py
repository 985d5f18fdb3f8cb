"""Products of matrices on the CPU: whose, and with which factors.

In float32 they are MKL's, but on AMD's CPUs with AVX-512: there MKL falls back to AVX2, and oneDNN is twice as fast (measured:
`python benchmarks/products.py`). torch takes oneDNN's once lower precision is allowed; where the CPU has no units for bf16 matrices (AMX),
oneDNN computes in fp32 all the same: same errors, other order of sums. With bfloat16 the factors are rounded, sums and results are fp32.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from readbench.models.lean.cpu import Products, onednn_is_faster

BLOCK, SMALL_BLOCK = 64, 16  # rows: of training and reading, of a step of decoding


def _precision(products: Products) -> str:
    return "medium" if products == "bfloat16" or onednn_is_faster() else "highest"


def choose_products() -> None:
    """Whoever computes with a model in this process multiplies in float32, by the faster library."""
    torch.set_float32_matmul_precision(_precision("float32"))


def products_in(products: Products) -> AbstractContextManager[None]:
    """Multiplies so for as long as the block lasts."""
    return _set(_precision(products))


@contextmanager
def _set(wanted: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    if before == wanted:
        yield
        return
    torch.set_float32_matmul_precision(wanted)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def filled(places: torch.Tensor, block: int = BLOCK) -> torch.Tensor:
    """(N,) indices, with the first again up to whole blocks where oneDNN multiplies: few shapes of products, whose code is made once."""
    missing = -len(places) % block if onednn_is_faster() else 0
    return torch.cat((places, places[:1].expand(missing))) if missing else places
