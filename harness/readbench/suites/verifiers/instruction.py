"""``instruction``: the answer keeps to instructions that can be checked, by IFEval's checkers.

Source: Zhou et al., "Instruction-Following Evaluation for Large Language Models", arXiv 2311.07911; the checkers are lm-eval's. The
reference is JSON with the columns of that dataset: ``{"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}``.
"""

import functools
import json
import os
from collections.abc import Mapping
from typing import Any

from readbench.api import Question, Verifier, verifier
from readbench.base.errors import ConfigError, SurroundingError, near_match
from readbench.suites.verifiers._final import MAX_CHARACTERS, reference_of

_Checkers = Mapping[str, Any]


class Instruction:
    """Asks one checker per instruction."""

    def __init__(self, *, partial: bool) -> None:
        self._partial = partial

    def score(self, question: Question, answer: str) -> float:
        """1 if the whole text keeps to every instruction, else 0; with `partial` the share that it keeps to."""
        text = answer[-MAX_CHARACTERS:]
        kept = [bool(text.strip()) and _keeps(checker, text) for checker in _checkers_of(reference_of(question))]
        return sum(kept) / len(kept) if self._partial else float(all(kept))


@functools.lru_cache(maxsize=4096)
def _checkers_of(reference: str) -> tuple[Any, ...]:
    """The checkers that the reference names, with its arguments."""
    try:
        document = json.loads(reference)
        names, given = document["instruction_id_list"], document["kwargs"]
    except (ValueError, RecursionError, TypeError, KeyError):
        names, given = [], []
    if not isinstance(names, list) or not isinstance(given, list) or not names or len(names) != len(given):
        raise ConfigError(
            f"verifier instruction needs a reference like {{'instruction_id_list': [...], 'kwargs': [{{...}}]}}, not {reference!r:.60}"
        )
    known = _registry()
    checkers = []
    for name, arguments in zip(names, given, strict=True):
        if name not in known:
            raise ConfigError(f"verifier instruction: unknown instruction {name!r:.60}", hint=near_match(str(name), known))
        checker = known[name](name)
        try:
            stated = {key: value for key, value in dict(arguments or {}).items() if value is not None}
            lacking = sorted(set(checker.get_instruction_args_keys()) - stated.keys())
            if lacking:  # the checker would draw one at random
                raise ConfigError(f"verifier instruction: {name} lacks the argument {lacking[0]!r}")
            checker.build_description(**stated)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"verifier instruction: {name} cannot have the arguments {arguments!r:.60}: {error}") from None
        checkers.append(checker)
    return tuple(checkers)


def _keeps(checker: Any, text: str) -> bool:
    try:
        return bool(checker.check_following(text))
    except LookupError as error:
        if "punkt" not in str(error):
            return False  # an index or a key of a text that the checker did not expect
        raise SurroundingError(
            "this instruction counts sentences, which needs data of nltk", hint="python -m nltk.downloader punkt_tab"
        ) from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False


@functools.cache
def _registry() -> _Checkers:
    """lm-eval's checkers by name; SurroundingError without what they need."""
    rank = os.environ.get("LOCAL_RANK")
    os.environ["LOCAL_RANK"] = "1"  # their import would ask the network for data, at rank 0 only
    try:
        import langdetect
        from lm_eval.tasks.ifeval.instructions_registry import INSTRUCTION_DICT
    except ImportError as error:
        raise SurroundingError(
            f"verifier instruction needs {error.name}, which is not installed", hint="pip install 'readbench[verifiers]'"
        ) from None
    finally:
        if rank is None:
            del os.environ["LOCAL_RANK"]
        else:
            os.environ["LOCAL_RANK"] = rank
    langdetect.DetectorFactory.seed = 0  # it samples: without a seed two calls may differ
    return dict(INSTRUCTION_DICT)


@verifier("instruction")
def instruction(*, partial: bool = False) -> Verifier:
    """The text keeps to the reference's instructions, by IFEval's checkers (length, format, keywords, language ...)."""
    return Instruction(partial=partial)
