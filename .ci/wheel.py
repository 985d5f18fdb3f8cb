"""What a built wheel must do where only numpy is installed beside it: the compiled core works, and answers as its tests say.

    python -I .ci/wheel.py

cibuildwheel calls it for every wheel that it builds.
"""

import sys

import numpy as np

import readbench
from readbench._core import EnsembleBandit, Ledger, Scheduler, instruction_set


def main() -> None:
    """Raises AssertionError where the core is not what it should be."""
    ledger = Ledger(100, 2)
    assert (ledger.spent_tokens, ledger.remaining_tokens) == (0, 100)
    assert Ledger.from_bytes(ledger.to_bytes()).remaining_tokens == 100
    assert Scheduler.from_bytes(Scheduler(2).to_bytes()).to_bytes() == Scheduler(2).to_bytes()
    predicted = []
    for _ in range(2):
        bandit = EnsembleBandit(3, seed=7, num_members=2)
        for number in range(8):
            bandit.add(np.full(3, number / 8), number / 8)
        predicted.append(np.stack(bandit.predict(np.eye(3))))
    assert np.isfinite(predicted[0]).all()
    assert np.array_equal(predicted[0], predicted[1])
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    where = f"Python {sys.version.split()[0]} ({'with' if gil else 'without'} the GIL)"
    print(f"readbench {readbench.__version__} on {where}, {instruction_set()}")


if __name__ == "__main__":
    main()
