"""Steps and learning rates: the schedule follows the budget."""

import pytest

from readbench.base.errors import ConfigError
from readbench.students.schedule import TrainingConfig, shuffled


def test_shuffling_depends_on_the_seed_alone() -> None:
    chunks = [[index] for index in range(20)]
    assert shuffled(chunks, 3) == shuffled(chunks, 3)
    assert shuffled(chunks, 3) != shuffled(chunks, 4)
    assert sorted(shuffled(chunks, 3)) == chunks
    assert chunks == [[index] for index in range(20)]


def test_the_learning_rate_warms_up_and_decays_with_the_share_of_the_budget() -> None:
    config = TrainingConfig(learning_rate=1.0, warmup_share=0.1, final_lr_share=0.2)
    assert config.learning_rate_at(0.05) == pytest.approx(0.5)
    assert config.learning_rate_at(0.1) == pytest.approx(1.0)
    assert config.learning_rate_at(0.55) == pytest.approx(0.6)
    assert config.learning_rate_at(1.0) == pytest.approx(0.2)
    assert TrainingConfig(learning_rate=1.0, warmup_share=0.0).learning_rate_at(0.0) == 1.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("warmup_share", 1.0),
        ("final_lr_share", 1.1),
        ("step_tokens", 0),
        ("micro_tokens", -1),
        ("weight_decay", -0.1),
        ("beta1", 1.0),
        ("beta2", -0.1),
        ("clip_norm", 0.0),
        ("clip_norm", float("inf")),
    ],
)
def test_a_setting_out_of_range_names_the_field_and_the_range(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"training\.{field} is .*; it must be"):
        TrainingConfig(**{field: value})  # type: ignore[arg-type]
