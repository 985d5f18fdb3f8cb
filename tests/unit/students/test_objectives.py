"""Objectives."""

import pytest
import torch

from readbench.students.objectives.sft import sft


def test_sft_is_the_negative_log_probability_of_the_label() -> None:
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 6, 3, 3, 1])
    losses = sft().token_losses(logits, labels)
    expected = [-float(row.softmax(0)[label].log()) for row, label in zip(logits, labels, strict=True)]
    assert losses.tolist() == pytest.approx(expected, rel=1e-5)
