"""Reading tables: a stock list, and a question about it.

Difficulty: easy, one cell of three rows; medium, the row with the highest or lowest figure of six; hard, the sum of a column over the
rows of one city, of ten. A table is in Markdown or in CSV, whatever the difficulty.
"""

import random
from dataclasses import dataclass

from readbench.api import Difficulty, Question, source
from readbench_suites.lang.wording import ASK, CITIES, tagged

ROWS = (3, 6, 10)  # by difficulty
ITEMS = (
    "anchors", "baskets", "belts", "blankets", "bottles", "brushes", "buckets", "candles", "chairs", "clocks", "curtains", "desks",
    "drums", "fans", "flutes", "gloves", "hammers", "helmets", "kettles", "ladders", "lamps", "mirrors", "needles", "pillows",
    "ropes", "saws", "scarves", "shelves", "spoons", "tents", "towels", "vases",
)  # fmt: skip
COLUMNS = ("price", "stock")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    item: str
    city: str
    figures: dict[str, int]  # by column, different from those of the other rows


def _rows(rng: random.Random, count: int) -> list[Row]:
    figures = {column: rng.sample(range(10, 100), count) for column in COLUMNS}
    cities = rng.sample(CITIES, max(2, count // 3))
    items = rng.sample(ITEMS, count)
    return [
        Row(item, cities[n] if n < len(cities) else rng.choice(cities), {column: figures[column][n] for column in COLUMNS})
        for n, item in enumerate(items)
    ]


def _text(rows: list[Row], *, markdown: bool) -> str:
    lines = [["item", "city", *COLUMNS], *([row.item, row.city, *map(str, row.figures.values())] for row in rows)]
    if not markdown:
        return "\n".join(",".join(line) for line in lines)
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(rng: random.Random, rows: list[Row]) -> tuple[str, str, str]:
    row, column = rng.choice(rows), rng.choice(COLUMNS)
    return f"What is the {column} of the {row.item}?", str(row.figures[column]), "number"


def _extreme(rng: random.Random, rows: list[Row]) -> tuple[str, str, str]:
    column, highest = rng.choice(COLUMNS), rng.random() < 0.5
    row = (max if highest else min)(rows, key=lambda row: row.figures[column])
    return f"Which item has the {'highest' if highest else 'lowest'} {column}?", row.item, "exact"


def _total(rng: random.Random, rows: list[Row]) -> tuple[str, str, str]:
    column = rng.choice(COLUMNS)
    city = rng.choice(sorted({row.city for row in rows}))
    total = sum(row.figures[column] for row in rows if row.city == city)
    return f"What is the total {column} of all items in {city}?", str(total), "number"


class Tables:
    """Tables and questions about them."""

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """A question about one cell, about a column, or about some rows of a column."""
        rows = _rows(rng, ROWS[difficulty])
        question, answer, verifier = (_cell, _extreme, _total)[difficulty](rng, rows)
        table = _text(rows, markdown=rng.random() < 0.5)
        return Question(
            prompt=f"{table}\n\n{question}{ASK}",
            answer=tagged(answer),
            key=f"{question} {_text(sorted(rows, key=lambda row: row.item), markdown=False)}",  # neither format nor order of rows matters
            reference=answer,
            verifier=verifier,
        )


@source("lang.tables")
def tables() -> Tables:
    """A table and a question: one cell, the highest or lowest row, or the total of some rows."""
    return Tables()
