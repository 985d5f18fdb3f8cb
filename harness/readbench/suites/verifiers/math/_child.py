"""Runs in a process of its own, alone: reads two texts from each line of input, answers whether they are the same mathematics.

Input: JSON lists [reference, answer, seconds]. Output: true, false, or null if the reference has no LaTeX that can be read. Computer
algebra may take for ever, so memory is limited for good, and CPU time for each pair: at its end the process says "late" and ends.

sympy turns a text into an expression by evaluating it as Python. LaTeX is read by a grammar instead, which leaves only its numbers to
that; else sympy compiles only functions of its own, on monomials. An audit hook, which cannot be taken away, refuses everything else.
"""

import json
import os
import re
import resource
import signal
import sys
from types import FrameType

_CHANNEL = os.dup(1)
_MEMORY = 2 << 30
_ALLOWED = re.compile(
    rb"""from\ sympy\ import\ \*
    | [\s-]* (?:Integer|Float) \s* \( \s* '?[\d.eE+-]+'? \s* \) \s*
    | def\ monomial_[a-z]+ (?:\b(?:A|B|k|[abr]\d+|\d|return|if|else|None)\b | [\s(),:=<>*+-])+""",
    re.VERBOSE,
)
_REFUSED = ("subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "pty.", "socket.", "ctypes.")


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    """Refuses to compile a text that is neither a module's nor allowed, to start processes and to open sockets."""
    if event == "compile":
        text, name = arguments
        refused = not str(name).endswith(".py") and not (isinstance(text, bytes) and _ALLOWED.fullmatch(text))
    else:
        refused = event.startswith(_REFUSED)
    if refused:
        raise RuntimeError(f"{event} is refused")


def _give_up(_signal: int, _frame: FrameType | None) -> None:
    os.write(_CHANNEL, b"late\n")
    os._exit(0)


def _say(word: str) -> None:
    os.write(_CHANNEL, word.encode() + b"\n")


def main() -> None:
    """Answers until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from math_verify import LatexExtractionConfig, parse, verify

    def read(text: str) -> list[object]:
        return parse(text, [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None)  # type: ignore[no-any-return]

    verify(read("$(x+1)^2$"), read("$x^2+2x+1$"), timeout_seconds=None)  # imports what it needs before the guard comes
    sys.addaudithook(_guard)
    signal.signal(signal.SIGPROF, _give_up)
    _say("ready")
    silence = os.open("/dev/null", os.O_RDWR)
    os.dup2(silence, 1)
    os.dup2(silence, 2)  # the grammar complains there
    for line in sys.stdin:
        reference, answer, seconds = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            right = read(reference)
            found = bool(verify(right, read(answer), timeout_seconds=None)) if right else None
        except Exception:  # the library trips over a text: the text is no answer
            found = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        _say(json.dumps(found))


if __name__ == "__main__":
    main()
