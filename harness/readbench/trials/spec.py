"""What identifies a run and a trial: plain values that cross process borders."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from readbench.base.documents import STRICT
from readbench.base.hashing import content_hash
from readbench.models.text import ChatConfig
from readbench.students.schedule import TrainingConfig
from readbench.suites.suite import RequirementSource
from readbench.teachers.naming import DEFAULT, renamed

MAX_SEEDS = 1000
MAX_BUDGET = 1 << 36  # tokens
OF_ANY_KIND = "*"  # the kind of parameters written the older way, params.NAME.PARAMETER, which names no kind
SINGULAR = {"objective": "objectives", "budget_tokens": "budgets"}  # settings that may be given as one value, by another name
DEFAULT_ALLOCATORS = ("horizon", "read", "task-static")
_UNIQUE = Field(json_schema_extra={"uniqueItems": True})


@pydantic_dataclass(frozen=True, kw_only=True, config=STRICT)
class PilotConfig:
    """Short trainings on random sparse mixes before any trial; made if the requirement is inferred or an allocator asks for them."""

    num: Annotated[int, Ge(1), Le(1000)] = 24
    tokens: Annotated[int, Ge(1), Le(MAX_BUDGET)] = 20_000  # each may charge
    num_probes: Annotated[int, Ge(2)] = 160  # a capability; more than a trial's, so that the regression sees little noise
    draw: Annotated[int, Ge(0), Le(1000)] = 0  # which mixes and prompts; another one shows how much the answer depends on them
    trials: Annotated[int, Ge(0), Le(100)] = 3  # whole trials on random mixes, for an allocator that asks for their transitions
    charged: bool = False  # whether every trial that depends on them pays for all of them out of its budget


@pydantic_dataclass(frozen=True, kw_only=True, config=STRICT)
class RunIdentity:
    """The settings that two runs must share to be the same run.

    Token counts are in tokens of the teacher's and the student's own tokenizers.
    """

    suite: str
    allocators: Annotated[tuple[str, ...], MinLen(1), _UNIQUE] = DEFAULT_ALLOCATORS
    seeds: Annotated[tuple[Annotated[int, Ge(0)], ...], MinLen(1), MaxLen(MAX_SEEDS), _UNIQUE] = (0, 1, 2, 3, 4)
    objectives: Annotated[tuple[str, ...], MinLen(1), _UNIQUE] = ("sft",)
    budgets: Annotated[tuple[Annotated[int, Ge(1), Le(MAX_BUDGET)], ...], MinLen(1), _UNIQUE] = (1_000_000,)  # tokens a trial may charge
    num_intervals: Annotated[int, Ge(1)] = 10
    teacher: str = DEFAULT  # or of most capabilities, with those of named ones: MODEL,math=MODEL
    student: str = "lab/student"
    max_new_tokens: Annotated[int, Ge(1)] = 256  # of a teacher's response
    num_probes: Annotated[int, Ge(2)] = 40  # a capability; the reward and the profile are measured on them
    num_dev: Annotated[int, Ge(2)] = 40  # questions a required capability, or items of a joint task; for the learning curve
    dev_every: Annotated[int, Ge(1)] = 1  # the learning curve is measured after every so many intervals, and after the last
    requirement: RequirementSource = "card"  # where r comes from: the suite's card, the pilots, or an identifier that reads the card
    identifier: str = ""  # the folder of a fitted identifier, if the requirement is its
    pilots: PilotConfig = field(default_factory=PilotConfig)
    params: dict[str, dict[str, dict[str, bool | int | float | str]]] = field(default_factory=dict)  # of plug-ins, by kind and name
    training: TrainingConfig = field(default_factory=TrainingConfig)
    teacher_chat: ChatConfig = field(default_factory=ChatConfig)  # of a local teacher with a chat template, or an endpoint's chat
    student_chat: ChatConfig = field(default_factory=ChatConfig)  # of a student with a chat template


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """All that a trial's result depends on, and where to find it: places of suite, teacher and student, each with its hash."""

    suite: str
    suite_content: str  # hash of the suite's files
    allocator: str
    params: Mapping[str, bool | int | float | str]
    objective: str
    objective_params: Mapping[str, bool | int | float | str]
    seed: int
    budget_tokens: int
    num_intervals: int
    teacher: str
    teacher_params: Mapping[str, bool | int | float | str]
    teacher_fingerprint: str
    student: str
    student_fingerprint: str
    max_new_tokens: int
    num_probes: int
    num_dev: int
    training: TrainingConfig
    dev_every: int = 1
    requirement: RequirementSource = "card"
    identifier: str = ""  # the folder, if the requirement is an identifier's
    identifier_fingerprint: str = ""
    pilots: PilotConfig | None = None  # None: the trial does not depend on them
    profiling: PilotConfig | None = None  # likewise of pilot trials
    horizon: int = 1  # the training is the beginning of one that is as many times longer: for learning rate and curriculum
    tested: bool = True  # whether the student is evaluated on the test set, and kept
    teacher_chat: ChatConfig = field(default_factory=ChatConfig)
    student_chat: ChatConfig = field(default_factory=ChatConfig)
    verifier_params: Mapping[str, Mapping[str, bool | int | float | str]] = field(default_factory=dict)  # by the verifier's name

    def document(self) -> dict[str, Any]:
        """The spec as JSON values, without the folders that things are in."""
        places = {name: placeless(getattr(self, name)) for name in ("suite", "student", "identifier")}
        places["teacher"] = renamed(self.teacher, placeless)
        document: dict[str, Any] = json.loads(json.dumps(asdict(self) | places))
        return document

    @property
    def id(self) -> str:
        """16 hex digits of the spec's hash: two trials with one id are the same trial."""
        return trial_id(self.document())


Place = tuple[str, str, int]  # in the grid, beside the seed: allocator, objective, budget in tokens


def contestants(places: Iterable[Place]) -> dict[Place, str]:
    """The name of each: its allocator, with objective and budget where they differ among these: ``read/rlad/60000``."""
    distinct = list(dict.fromkeys(places))
    shown = [True, *(len({place[axis] for place in distinct}) > 1 for axis in (1, 2))]
    return {place: "/".join(str(part) for part, is_shown in zip(place, shown, strict=True) if is_shown) for place in distinct}


def trial_names(trials: Iterable[TrialSpec]) -> dict[str, str]:
    """Of each trial, by its id, who competes in it."""
    places = {spec.id: (spec.allocator, spec.objective, spec.budget_tokens) for spec in trials}
    names = contestants(places.values())
    return {trial: names[place] for trial, place in places.items()}


def settled(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with one objective or budget, by its own name, as a list of one: ``budget_tokens: 60000`` is ``budgets: [60000]``."""
    return {SINGULAR.get(key, key): [value] if key in SINGULAR else value for key, value in settings.items()}


def with_kinds(params: Mapping[str, Any]) -> dict[str, Any]:
    """The ``params`` of a document; an older version wrote params.NAME, without a kind."""
    kindless = {name: given for name, given in params.items() if not all(isinstance(value, Mapping) for value in given.values())}
    return {kind: given for kind, given in params.items() if kind not in kindless} | ({OF_ANY_KIND: kindless} if kindless else {})


def placeless(reference: str) -> str:
    """A reference without its folder: ``/data/own`` is ``own``; names and hub ids stay as they are."""
    plugin, colon, model = reference.rpartition(":")
    return f"{plugin}{colon}{Path(model).name}" if Path(model).is_absolute() else reference


def trial_id(document: Mapping[str, Any]) -> str:
    """The id of the trial with this spec."""
    text = json.dumps(document, sort_keys=True, allow_nan=False)
    return content_hash(text.encode(), size=8)
