"""Genuine servers of models, started as a user starts them."""

import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

START_SECONDS = 120


def free_port() -> str:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def started(command: Sequence[str | Path], port: str, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """The server, once it answers, in a process group of its own."""
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(START_SECONDS):
        assert server.poll() is None, f"the server has ended: {' '.join(map(str, command))}"
        try:
            opener.open(f"http://127.0.0.1:{port}/health", timeout=5).close()
        except OSError:
            time.sleep(1)
        else:
            return server
    server.kill()
    pytest.fail("the server does not answer")
