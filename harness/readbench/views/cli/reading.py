"""How options are read: numbers as people write them, and no option twice where one would be dropped in silence."""

from typing import Any

import typer
from typer.core import TyperCommand

COMPLETION = "_READBENCH_COMPLETE"  # set by the script that --install-completion writes
MOST = 1 << 53  # up to here a float holds every whole number


def token_count(text: str) -> int:
    """``100000``, ``100_000`` or ``1e5``: a whole number of tokens."""
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        number = float("nan")
    if not abs(number) < MOST or number != int(number):
        raise typer.BadParameter(f"{text!r} is not a whole number of tokens (100000, 100_000 or 1e5)")
    return int(number)


def whole_number(text: str) -> int:
    """``8e9``: a whole number, at least 1."""
    number = token_count(text)
    if number < 1:
        raise typer.BadParameter(f"{text!r} is not at least 1")
    return number


def token_counts(text: str) -> list[int]:
    """Several counts with commas: ``20000,6e4``, each at least 1 and given once."""
    counts = [token_count(part) for part in text.split(",")]
    if min(counts) < 1 or len(set(counts)) < len(counts):
        raise typer.BadParameter(f"{text!r}: give each number of tokens once, and at least 1")
    return counts


def join_lists(texts: list[str]) -> str:
    """One list with commas of an option's several; a name that an earlier one holds counts once."""
    joined: list[str] = []
    for text in texts:
        joined += [name for name in map(str.strip, text.split(",")) if name not in joined]
    return ",".join(joined)


class Once(TyperCommand):
    """A command that refuses an option given twice, where the option takes one value: the first would be dropped in silence."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As every command, after the check."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        given: list[Any] = list(order)  # an option as often as it is given
        for option in given:
            takes_one = option.param_type_name == "option" and not (option.multiple or option.is_flag or option.count)
            if takes_one and sum(each is option for each in given) > 1:
                raise typer.BadParameter(f"{option.opts[0]} is given twice: give it once", ctx=ctx)
        return super().parse_args(ctx, args)
