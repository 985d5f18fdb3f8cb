"""What goes wrong with a request, and what then ends a run."""

from readbench.base.errors import IncompleteRunError, ReadbenchError, SurroundingError

_LONGEST = 300  # characters of a message that others wrote


class Fault(Exception):
    """One attempt brought no answer that can be used."""

    def __init__(
        self,
        message: str,
        *,
        in_doubt: bool = True,
        retry: bool = False,
        wait_seconds: float | None = None,
        refused: bool = False,
        hint: str = "",
        status: int = 0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.in_doubt = in_doubt  # it may have been worked on: charged at its cap
        self.retry = retry  # another attempt may do better
        self.wait_seconds = wait_seconds  # that the endpoint asks for (Retry-After)
        self.refused = refused  # the request itself is wrong: key, model, parameters
        self.status = status  # of HTTP; 0 where none came
        self.hint = hint  # what to do, where a resume would bring the same answer


class EndpointError(SurroundingError):
    """The endpoint cannot be used now; what was paid for is kept and the run can be resumed (exit code 5)."""


class EndpointRefusalError(ReadbenchError):
    """The endpoint refuses what it is asked: a key, a model's name, a parameter (exit code 2).

    No ConfigError: inside a trial that would be the trial's failure, and every trial of the run would fail alike.
    """


class SpendLimitError(IncompleteRunError):
    """The next request could pass the spend limit; a resume with a higher limit continues (exit code 4)."""


def one_line(text: str, *, secret: str = "") -> str:
    """What an endpoint wrote, short, in one line, without the key (an endpoint may echo it)."""
    shown = text.replace(secret, "***") if secret else text
    flat = " ".join(shown.split())
    return flat if len(flat) <= _LONGEST else f"{flat[:_LONGEST]}..."
