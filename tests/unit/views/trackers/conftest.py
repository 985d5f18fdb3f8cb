"""A run that sinks are told about."""

from pathlib import Path

import pytest

from support.story import Story


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "a-run")
