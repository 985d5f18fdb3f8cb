"""What a person sees while trials run: a live view, plain lines, or nothing."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TextIO

from readbench.views.cli.display.none import NoDisplay
from readbench.views.cli.display.plain import PlainDisplay

if TYPE_CHECKING:
    from types import TracebackType

    from readbench.trials.events import Event

__all__ = ["Display", "NoDisplay", "PlainDisplay", "choose_display"]


class Display(Protocol):
    """Follows a run's events; a context manager, so that the terminal is given back whatever happens."""

    def observe(self, event: "Event") -> None:
        """Takes note of one event."""

    def __enter__(self) -> "Display": ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None") -> None: ...


def choose_display(stream: TextIO | None, environment: Mapping[str, str] = os.environ) -> Display:
    """Live if the stream is a terminal outside CI, lines elsewhere, nothing if there is no stream (``2>&-``)."""
    if stream is None:
        return NoDisplay()
    if stream.isatty() and not environment.get("CI") and environment.get("TERM") != "dumb":
        from readbench.views.cli.display.live import LiveDisplay

        return LiveDisplay(stream)
    return PlainDisplay(stream)
