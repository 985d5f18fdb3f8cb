"""The softmax of short sequences: torch's in powers of 2, whatever the scores are."""

import math

import pytest
import torch

from readbench.models.lean.llama import _causal_softmax


@pytest.mark.parametrize("size", [1.0, 30.0, 3000.0])  # the last is beyond what one bound for all rows can do
def test_shares_are_those_of_the_softmax(size: float) -> None:
    scores = size * torch.randn(3, 9, 9, generator=torch.Generator().manual_seed(0)) + torch.full((9, 9), -torch.inf).triu_(1)
    expected = (scores.double() * math.log(2)).softmax(-1)
    torch.testing.assert_close(_causal_softmax(scores.clone()).double(), expected, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("odd", [torch.nan, torch.inf])
def test_a_score_that_is_not_finite_stays_seen(odd: float) -> None:
    scores = torch.zeros(2, 3, 3) + torch.full((3, 3), -torch.inf).triu_(1)
    scores[1, 2, 0] = odd
    assert not _causal_softmax(scores).isfinite().all()
