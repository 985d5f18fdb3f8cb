"""What tokens cost: a YAML file of prices per million tokens, and exact sums (Decimal: a cent is a cent).

::

    some-model: {prompt: 0.15, completion: 0.60, currency: USD}
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import dataclasses as pydantic_dataclasses

from readbench.base.documents import STRICT, read_yaml, typed
from readbench.base.errors import ConfigError, near_match
from readbench.teachers.endpoint.settings import EndpointConfig, parse_money

_MILLION = 1_000_000
_Amount = Annotated[float, Ge(0), Le(1e9)]


@pydantic_dataclasses.dataclass(frozen=True, kw_only=True, config=STRICT)
class _Entry:
    prompt: _Amount
    completion: _Amount
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of a million tokens."""

    prompt: Decimal
    completion: Decimal
    currency: str

    def of(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        """Exact, in the price's currency."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / _MILLION


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What may be spent; None where it is not limited."""

    tokens: int | None = None
    money: Decimal | None = None
    price: Price | None = None  # known wherever money is limited

    @property
    def is_set(self) -> bool:
        """Whether anything is limited."""
        return self.tokens is not None or self.money is not None

    def __str__(self) -> str:
        if self.money is not None and self.price is not None:
            return f"{self.money} {self.price.currency}"
        return f"{self.tokens:,} tokens"

    def holds(self, prompt_tokens: int, completion_tokens: int) -> bool:
        """Whether that much may be spent in all."""
        if self.tokens is not None and prompt_tokens + completion_tokens > self.tokens:
            return False
        return self.money is None or self.price is None or self.price.of(prompt_tokens, completion_tokens) <= self.money


def read_price(path: Path, model: str) -> Price:
    """The model's price; ConfigError where the file does not name it."""
    document = read_yaml(path)
    if model not in document:
        raise ConfigError(f"{path} has no price for model {model!r}", hint=near_match(model, document))
    entry = document[model]
    if not isinstance(entry, dict):
        raise ConfigError(f"{path}: {model} must be a mapping", hint=f"{model}: {{prompt: 0.15, completion: 0.60, currency: USD}}")
    checked = typed(_Entry, entry, f"{path}: {model}")
    return Price(prompt=Decimal(repr(checked.prompt)), completion=Decimal(repr(checked.completion)), currency=checked.currency)


def spend_limit(settings: EndpointConfig, model: str) -> Limit:
    """The limit of the settings; ConfigError where it is money and no price in that currency is known."""
    price = read_price(Path(settings.prices), model) if settings.prices else None
    if not isinstance(settings.spend_limit, str):
        return Limit(tokens=settings.spend_limit, price=price)
    amount, currency = parse_money(settings.spend_limit)
    if price is None:
        raise ConfigError(f"a spend limit of {settings.spend_limit} needs the price of a token", hint="give --prices FILE")
    if price.currency != currency:
        raise ConfigError(f"the spend limit is in {currency}, the price of {model} in {price.currency}", hint="give both in one currency")
    return Limit(money=Decimal(amount), price=price)
