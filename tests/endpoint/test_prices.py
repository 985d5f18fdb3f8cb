"""Prices and limits of money: exact, in one currency."""

from decimal import Decimal
from pathlib import Path

import pytest

from readbench.base.errors import ConfigError
from readbench.teachers.endpoint.settings import EndpointConfig, parse_spend_limit
from readbench.teachers.spend.prices import Limit, Price, read_price, spend_limit

PRICE = Price(prompt=Decimal("0.15"), completion=Decimal("0.6"), currency="USD")


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    file = tmp_path / "prices.yaml"
    file.write_text("small: {prompt: 0.15, completion: 0.6, currency: USD}\nlarge: {prompt: 2, completion: 8, currency: EUR}\n")
    return file


def test_a_price_is_per_million_tokens_and_exact(prices: Path) -> None:
    assert read_price(prices, "small") == PRICE
    assert PRICE.of(1_000_000, 1_000_000) == Decimal("0.75")
    assert PRICE.of(1, 0) * 1_000_000 == Decimal("0.15")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("large: {prompt: 2, completion: 8, currency: EUR}", "has no price for model 'small'"),
        ("small: 3", "must be a mapping"),
        ("small: {prompt: 2, completion: 8}", "currency"),
        ("small: {prompt: -2, completion: 8, currency: EUR}", "prompt"),
        ("small: {prompt: .nan, completion: 8, currency: EUR}", "finite"),
        ("small: {prompt: '2', completion: 8, currency: EUR}", "prompt"),
        ("small: {prompt: 2, completion: 8, currency: EUR, extra: 1}", "extra"),
        ("- small", "mapping"),
    ],
)
def test_a_price_that_cannot_be_read_costs_one_line(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=said):
        read_price(file, "small")


def test_a_limit_in_tokens_bounds_both_kinds_together() -> None:
    limit = Limit(tokens=10)
    assert limit.holds(4, 6)
    assert not limit.holds(5, 6)
    assert Limit().holds(10**12, 10**12)


def test_a_limit_in_money_bounds_what_the_tokens_cost() -> None:
    limit = Limit(money=Decimal("0.75"), price=PRICE)
    assert limit.holds(1_000_000, 1_000_000)
    assert not limit.holds(1_000_001, 1_000_000)


def test_the_settings_become_a_limit(prices: Path) -> None:
    assert spend_limit(EndpointConfig(spend_limit=500), "small") == Limit(tokens=500)
    assert spend_limit(EndpointConfig(spend_limit="1.50 USD", prices=str(prices)), "small") == Limit(money=Decimal("1.50"), price=PRICE)


def test_money_needs_a_price_in_its_currency(prices: Path) -> None:
    with pytest.raises(ConfigError, match="needs the price of a token"):
        spend_limit(EndpointConfig(spend_limit="5 USD"), "small")
    with pytest.raises(ConfigError, match="the spend limit is in USD, the price of large in EUR"):
        spend_limit(EndpointConfig(spend_limit="5 USD", prices=str(prices)), "large")


def test_a_flag_is_tokens_or_money() -> None:
    assert parse_spend_limit("200000") == 200_000
    assert parse_spend_limit("5 USD") == "5 USD"
    for text in ("-1", "five", "1e6", "USD 5", "5 usd", "5.", "\u0665"):
        with pytest.raises(ConfigError, match="give tokens"):
            parse_spend_limit(text)


def test_a_key_is_not_taken_for_the_name_of_a_variable_nor_shown() -> None:
    with pytest.raises(ConfigError) as raised:
        EndpointConfig(key_env="sk-canary-123")
    assert "canary" not in str(raised.value)
    with pytest.raises(ConfigError, match="READBENCH_"):
        EndpointConfig(key_env="READBENCH_KEY")
