"""Calling tools: a request, the signatures of some tools, and the call in JSON that the request asks for.

Difficulty: easy, one of two tools with all its arguments in the request; medium, one of four; hard, one of six, with an argument that
must be computed from the request.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from readbench.api import Difficulty, Question, source
from readbench_suites.lang.wording import CITIES, PEOPLE

SUPPLIES = ("notebooks", "pencils", "folders", "stamps", "envelopes", "erasers")
ROOMS = ("kitchen", "bedroom", "office", "garden", "hall")
TOOLS_SHOWN = (2, 4, 6)  # by difficulty
_SHOWN = 'Request: Lock the attic for 5 minutes.\nCall: {"name": "lock_room", "arguments": {"room": "attic", "minutes": 5}}'
Arguments = dict[str, str | int]
Drawn = tuple[str, Arguments]  # a request and its arguments


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool, with requests for it: plain, and with an argument to compute."""

    name: str
    does: str
    parameters: dict[str, str]  # name: type
    plain: Callable[[random.Random], Drawn]
    computed: Callable[[random.Random], Drawn]

    def definition(self) -> str:
        """As a model is told of it."""
        parameters = ", ".join(f"{name}: {kind}" for name, kind in self.parameters.items())
        return f"{self.name}({parameters}): {self.does}"


def _table(rng: random.Random) -> Drawn:
    city, people = rng.choice(CITIES), rng.randint(2, 12)
    return f"Book a table in {city} for {people} people.", {"city": city, "people": people}


def _table_computed(rng: random.Random) -> Drawn:
    city, adults, children = rng.choice(CITIES), rng.randint(2, 9), rng.randint(2, 9)
    return f"Book a table in {city} for {adults} adults and {children} children.", {"city": city, "people": adults + children}


def _timer(rng: random.Random) -> Drawn:
    minutes, person = rng.randint(3, 90), rng.choice(PEOPLE)
    return f"Set a timer of {minutes} minutes for {person}.", {"minutes": minutes, "person": person}


def _timer_computed(rng: random.Random) -> Drawn:
    hours, minutes, person = rng.randint(1, 4), rng.randint(5, 55), rng.choice(PEOPLE)
    hour = "1 hour" if hours == 1 else f"{hours} hours"
    return f"Set a timer of {hour} and {minutes} minutes for {person}.", {"minutes": 60 * hours + minutes, "person": person}


def _money(rng: random.Random) -> Drawn:
    euros, person = rng.randint(5, 300), rng.choice(PEOPLE)
    return f"Send {euros} euros to {person}.", {"euros": euros, "receiver": person}


def _money_computed(rng: random.Random) -> Drawn:
    times, euros, person = rng.randint(2, 9), rng.randint(5, 40), rng.choice(PEOPLE)
    return f"I owe {person} {euros} euros for each of {times} lunches. Send all of it.", {"euros": times * euros, "receiver": person}


def _weather(rng: random.Random) -> Drawn:
    city, days = rng.choice(CITIES), rng.randint(2, 14)
    return f"What will the weather be in {city} in {days} days?", {"city": city, "days": days}


def _weather_computed(rng: random.Random) -> Drawn:
    city, weeks, days = rng.choice(CITIES), rng.randint(1, 3), rng.randint(1, 6)
    told = f"{weeks} week{'s' * (weeks > 1)} and {days} day{'s' * (days > 1)}"
    return f"What will the weather be in {city} in {told}?", {"city": city, "days": 7 * weeks + days}


def _order(rng: random.Random) -> Drawn:
    thing, count = rng.choice(SUPPLIES), rng.randint(2, 60)
    return f"Order {count} {thing}.", {"article": thing, "count": count}


def _order_computed(rng: random.Random) -> Drawn:
    thing, boxes, each = (
        rng.choice(SUPPLIES),
        rng.randint(2, 9),
        rng.randint(3, 20),
    )
    return f"Each of {boxes} classes needs {each} {thing}. Order them.", {"article": thing, "count": boxes * each}


def _train(rng: random.Random) -> Drawn:
    start, end = rng.sample(CITIES, 2)
    seats = rng.randint(2, 9)
    return f"Reserve {seats} seats on the train from {start} to {end}.", {"origin": start, "destination": end, "seats": seats}


def _train_computed(rng: random.Random) -> Drawn:
    start, end = rng.sample(CITIES, 2)
    couples = rng.randint(2, 9)
    return f"Reserve train seats from {start} to {end} for {couples} couples.", {"origin": start, "destination": end, "seats": 2 * couples}


def _room(rng: random.Random) -> Drawn:
    city, nights = rng.choice(CITIES), rng.randint(2, 20)
    return f"Reserve a hotel room in {city} for {nights} nights.", {"city": city, "nights": nights}


def _room_computed(rng: random.Random) -> Drawn:
    city, first, nights = rng.choice(CITIES), rng.randint(1, 12), rng.randint(2, 15)
    return f"Reserve a hotel room in {city} from May {first} to May {first + nights}.", {"city": city, "nights": nights}


def _volume(rng: random.Random) -> Drawn:
    room, level = rng.choice(ROOMS), rng.randint(5, 95)
    return f"Set the volume in the {room} to {level}.", {"room": room, "level": level}


def _volume_computed(rng: random.Random) -> Drawn:
    room, level, more = rng.choice(ROOMS), rng.randint(5, 60), rng.randint(5, 35)
    return f"The volume in the {room} is {level}. Make it {more} higher.", {"room": room, "level": level + more}


TOOLS = (
    Tool("book_table", "Books a table in a restaurant.", {"city": "string", "people": "integer"}, _table, _table_computed),
    Tool("set_timer", "Sets a timer.", {"minutes": "integer", "person": "string"}, _timer, _timer_computed),
    Tool("send_money", "Sends money to somebody.", {"euros": "integer", "receiver": "string"}, _money, _money_computed),
    Tool("get_forecast", "Tells the weather of a day to come.", {"city": "string", "days": "integer"}, _weather, _weather_computed),
    Tool("order_supplies", "Orders office supplies.", {"article": "string", "count": "integer"}, _order, _order_computed),
    Tool(
        "reserve_seats",
        "Reserves seats on a train.",
        {"origin": "string", "destination": "string", "seats": "integer"},
        _train,
        _train_computed,
    ),
    Tool("reserve_room", "Reserves a hotel room.", {"city": "string", "nights": "integer"}, _room, _room_computed),
    Tool("set_volume", "Sets the volume in a room, 0 to 100.", {"room": "string", "level": "integer"}, _volume, _volume_computed),
)


class ToolCalls:
    """Requests and the calls that they ask for."""

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """A request for one of two tools, of four, or of six with an argument to compute."""
        shown = rng.sample(TOOLS, TOOLS_SHOWN[difficulty])
        tool = rng.choice(shown)
        request, arguments = (tool.computed if difficulty == 2 else tool.plain)(rng)
        call = json.dumps({"name": tool.name, "arguments": arguments})
        definitions = "\n".join(each.definition() for each in shown)
        return Question(
            prompt=f"Write the call for the last request in JSON. The tools are:\n{definitions}\n\n{_SHOWN}\n\nRequest: {request}\nCall:",
            answer=call,
            key=request,
            verifier="json-call",
        )


@source("lang.tool_calls")
def tool_calls() -> ToolCalls:
    """A request, signatures of tools, and the one call in JSON that it asks for."""
    return ToolCalls()
