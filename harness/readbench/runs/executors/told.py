"""The teachers where several ranks train a student: one rank asks them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from readbench.api import Response, Vector
from readbench.models.ranks import Ranks
from readbench.teachers.panel import Panel

if TYPE_CHECKING:
    from readbench.models.batches import Encoded


class ToldPanel(Panel):
    """Rank 0 asks the teachers; all get the answers. A local teacher's logits are computed where they are used."""

    def __init__(self, panel: Panel, ranks: Ranks) -> None:
        self.teachers, self.serving = panel.teachers, panel.serving
        self._panel, self._ranks = panel, ranks

    def respond(self, asked: Sequence[tuple[int, str]], *, max_new_tokens: int) -> list[Response]:
        """See `Panel`."""
        return self._ranks.told(lambda: self._panel.respond(asked, max_new_tokens=max_new_tokens))

    def scores(self, examples: Sequence["Encoded"], capabilities: Sequence[int], temperature: float) -> list[Vector]:
        """See `Panel`."""
        return self._ranks.told(lambda: self._panel.scores(examples, capabilities, temperature))

    def top(self, examples: Sequence["Encoded"], capabilities: Sequence[int], k: int, temperature: float) -> list[Vector]:
        """See `Panel`."""
        return self._ranks.told(lambda: self._panel.top(examples, capabilities, k, temperature))
