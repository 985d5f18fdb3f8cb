"""The machine's limit: single-thread fp32 matrix products, the other benchmarks' yardstick.

    python benchmarks/machine.py

Best of ten products of two 1024 × 1024 matrices, 2·1024³ FLOP each: what one core can do when nothing else runs on it.
"""

import time

import torch

_SIZE = 1024
_REPEATS = 10


def matmul_gflops() -> float:
    """GFLOP/s of the best of ten products on one thread, by the process's CPU time (other processes do not count)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    a, b = torch.randn(_SIZE, _SIZE), torch.randn(_SIZE, _SIZE)
    out = torch.empty(_SIZE, _SIZE)
    torch.mm(a, b, out=out)  # the first product loads the kernel
    best = float("inf")
    for _ in range(_REPEATS):
        began = time.process_time()
        torch.mm(a, b, out=out)
        best = min(best, time.process_time() - began)
    torch.set_num_threads(threads)
    return 2 * _SIZE**3 / best / 1e9


if __name__ == "__main__":
    print(f"fp32 matmul, 1 thread, best of {_REPEATS}: {matmul_gflops():.0f} GFLOP/s ({torch.backends.cpu.get_cpu_capability()})")
