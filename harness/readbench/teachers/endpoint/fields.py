"""The request fields that a user leaves out or adds: two parameters of the teacher, checked before the run.

Endpoints differ: some refuse `temperature`, others read `reasoning_effort` or `top_k`. The fields on which the budget, the spend
limit and the reading of answers rest are readbench's alone.
"""

import json
from typing import Any

from readbench.base.documents import check_values
from readbench.base.errors import ConfigError, near_match

LIMIT_FIELDS = ("max_tokens", "max_completion_tokens")
OMITTABLE = ("temperature", "seed")
_OWN = {  # the fields that readbench sets itself, and what to do instead
    "model": "name the model in --teacher openai:MODEL",
    "messages": "give a system prompt as teacher_chat.system",
    "prompt": "the suite's sources ask",
    **dict.fromkeys(LIMIT_FIELDS, "set max_new_tokens, and params.teacher.openai.limit_field for the field's name"),
    **dict.fromkeys(("n", "best_of"), "one answer is paid for and read"),
    "stream": "an answer is read whole",
}
_EXAMPLE = 'give an object, for example \'{"reasoning_effort": "low"}\''


def parse_omit(text: str) -> tuple[str, ...]:
    """The names in a list with commas, sorted; ConfigError on a field that no request holds, or that every one must hold."""
    names = sorted({name.strip() for name in text.split(",")} - {""})
    for name in names:
        if name in _OWN:
            raise ConfigError(f"params.teacher.openai.omit names {name!r}, which readbench sets itself", hint=_OWN[name])
        if name not in OMITTABLE:
            raise ConfigError(f"params.teacher.openai.omit names {name!r}, which no request holds", hint=near_match(name, OMITTABLE))
    return tuple(names)


def parse_fields(text: str, *, omit: tuple[str, ...]) -> dict[str, Any]:
    """The fields in a JSON object; ConfigError on anything else, and on a field that is readbench's or is left out."""
    if not text.strip():
        return {}
    try:
        fields = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"params.teacher.openai.fields is not valid JSON: {error}", hint=_EXAMPLE) from None
    if not isinstance(fields, dict):
        raise ConfigError("params.teacher.openai.fields is not a JSON object", hint=_EXAMPLE)
    check_values(fields, "params.teacher.openai.fields")
    for name in fields:
        if name in _OWN:
            raise ConfigError(f"params.teacher.openai.fields holds {name!r}, which readbench sets itself", hint=_OWN[name])
        if name in omit:
            raise ConfigError(
                f"params.teacher.openai.fields holds {name!r}, which params.teacher.openai.omit leaves out", hint="name it in one of them"
            )
    return fields


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys differ: of two values of one key the first would be dropped in silence."""
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a key appears twice")
    return document
