"""Shows nothing."""

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from readbench.trials.events import Event


class NoDisplay:
    """For a process without a standard error."""

    def observe(self, event: "Event") -> None:
        """Ignores the event."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
