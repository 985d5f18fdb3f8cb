"""Which addresses are taken."""

import pytest

from readbench.base.errors import ConfigError
from readbench.teachers.endpoint.servers.address import parse_address


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://api.example.com/v1", "https://api.example.com/v1/chat/completions"),
        ("https://api.example.com/v1/", "https://api.example.com/v1/chat/completions"),
        ("HTTPS://API.example.com", "https://api.example.com/chat/completions"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1/chat/completions"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/chat/completions"),
        ("http://10.1.2.3/v1", "http://10.1.2.3/v1/chat/completions"),
        ("http://localhost/v1", "http://localhost/v1/chat/completions"),
        ("http://gpu-node-3:8000/v1", "http://gpu-node-3:8000/v1/chat/completions"),
        ("http://vllm.ml.svc.cluster.local/v1", "http://vllm.ml.svc.cluster.local/v1/chat/completions"),
    ],
)
def test_https_and_near_http_are_taken(url: str, target: str) -> None:
    assert parse_address(url, "chat").target == target


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "needs the address"),
        ("http://api.example.com/v1", "would show key and prompts"),
        ("http://8.8.8.8/v1", "would show key and prompts"),
        ("https://me:hunter2@api.example.com/v1", "holds more than an address"),
        ("https://me@api.example.com/v1", "holds more than an address"),
        ("https://api.example.com/v1?key=hunter2", "holds more than an address"),
        ("https://api.example.com/v1#hunter2", "holds more than an address"),
        ("https://api.example.com:port/v1", "cannot be read"),
        ("https://[::1/v1", "cannot be read"),
        ("ftp://api.example.com/v1", "which is not an HTTP address"),
        ("file:///etc/passwd", "which is not an HTTP address"),
        ("api.example.com/v1", "which is not an HTTP address"),
        ("https:///v1", "which is not an HTTP address"),
        ("https://api.example.com/v 1", "which is not an HTTP address"),
        ("https://api.example.com/\x1b", "which is not an HTTP address"),
    ],
)
def test_what_is_no_address_or_holds_a_secret_is_refused_without_showing_it(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        parse_address(url, "chat")
    assert "hunter2" not in str(raised.value)


def test_an_unknown_api_is_refused() -> None:
    with pytest.raises(ConfigError, match="it must be chat or completions"):
        parse_address("https://api.example.com/v1", "responses")
