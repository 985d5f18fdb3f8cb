"""Programs and their tests in the sandbox: right ones, wrong ones, and those that attack the machine."""

import shutil

import pytest

from readbench import make_verifier
from readbench.api import Question
from readbench.base.errors import ConfigError, SurroundingError
from readbench.suites.verifiers.code import sandbox
from readbench.suites.verifiers.code.sandbox import check_sandbox

ADD = Question(prompt="Write add(a, b).", answer="", reference="assert add(2, 3) == 5\nassert add(-1, 1) == 0")
RIGHT = [
    "def add(a, b):\n    return a + b",
    "```python\ndef add(a, b):\n    return a + b\n```",
    "Sure! Here it is:\n```py\ndef add(a, b): return a + b\n```\nIt adds two numbers.",
    "~~~\nadd = lambda a, b: a + b\n~~~",
    "First try:\n```python\ndef add(a, b): return a - b\n```\nNo, better:\n```python\ndef add(a, b): return b + a\n```",
    "```python\nimport functools, operator\ndef add(*n):\n    return functools.reduce(operator.add, n)\n```",
    "```python\nclass Adder:\n    def __call__(self, a, b):\n        return a + b\nadd = Adder()\n```",
    "```python\nprint('hello')\ndef add(a, b):\n    return sum((a, b))\nif __name__ == '__main__':\n    print(add(1, 2))\n```",
    "```python\nimport threading\nfound = []\nt = threading.Thread(target=lambda: found.append(1))\nt.start(); t.join()\n"
    "def add(a, b):\n    return a + b if found else None\n```",
    "```python\ndef add(a, b):\n    return a + b\n",  # the fence never closes
    "```python\n# größer\ndef add(a, b):\n    return int(str(a)) + int(str(b))\n```",
    "```python\nimport sys\ndef add(a, b):\n    return a + b + len(sys.stdin.read())\n```",  # there is no input
    "```python\nopen('/tmp/x', 'w').write('1')\ndef add(a, b):\n    return a + b * int(open('/tmp/x').read())\n```",
]
WRONG = [
    "",
    "I cannot do that.",
    "def add(a, b):\n    return a - b",
    "def add(a, b)\n    return a + b",
    "```python\ndef sum(a, b): return a + b\n```",
    "```python\nadd = None\n```",
    "```python\ndef add(a, b): raise ValueError\n```",
    "```python\ndef add(a, b): return 5\n```",
    "```python\ndef add(a, b):\n    return a + b\n```\nOr shorter:\n```python\nadd = sum\n```",
    "```python\nimport numpy\ndef add(a, b): return a + b\n```",  # only the standard library is there
    "```python\ndef add(a, b): return add(a, b)\n```",
    "def add(a, b): return '5'",
]
CHEATS = [
    "import sys; sys.exit(0)",
    "import os; os._exit(0)",
    "raise SystemExit(0)",
    "print('ok')",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'0' * 32)\n    except OSError: pass\nos._exit(0)",
    "import os; os.close(3)\ndef add(a, b): return a + b",  # where the tests come from
    "import os, sys\nword = os.read(0, 4096) or sys.stdin.read()\nassert not word\nos._exit(0)",
]


def attempt(line: str, errors: str = "OSError") -> str:
    """A program that assigns `safe`: whether the line was refused."""
    return f"import os, resource, socket, subprocess\ntry:\n    {line}\n    safe = False\nexcept {errors}: safe = True"


HIDDEN = ("/etc/passwd", "/home", "/var", "/proc/1", "/sys", "/root/.ssh")
ATTEMPTS = {
    "a process by fork": attempt("os.fork()"),
    "a process by subprocess": attempt("subprocess.run(['/usr/bin/true'])"),
    "a process by posix_spawn": attempt("os.posix_spawn('/usr/bin/true', ['true'], {})"),
    "the network": attempt("socket.create_connection(('127.0.0.1', 22), timeout=1)"),
    "users' files": f"import os\nsafe = not any(map(os.path.exists, {HIDDEN}))",
    "the interpreter's files": attempt("open(os.__file__, 'a')"),
    "a large file": attempt("open('/tmp/x', 'wb').write(bytes(64 << 20))"),
    "a lot of memory": attempt("bytearray(4 << 30)", "MemoryError"),
    "a higher limit": attempt("resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))", "(ValueError, OSError)"),
    "the environment": "import os\nsafe = set(os.environ) <= {'PYTHONHASHSEED', 'LC_CTYPE', 'PWD'}",
    "being root": attempt("os.chroot('/tmp')"),
}


@pytest.fixture(scope="module", autouse=True)
def _sandbox() -> None:
    try:
        check_sandbox()
    except SurroundingError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_program_passes(answer: str) -> None:
    assert make_verifier("code", run=True).score(ADD, answer) == 1


@pytest.mark.parametrize("answer", [*WRONG, *CHEATS])
def test_a_wrong_program_and_one_that_only_ends_well_do_not(answer: str) -> None:
    assert make_verifier("code", run=True).score(ADD, answer) == 0


@pytest.mark.parametrize("program", ATTEMPTS.values(), ids=ATTEMPTS)
def test_the_sandbox_refuses(program: str) -> None:
    question = Question(prompt="", answer="", reference="assert safe")
    assert make_verifier("code", run=True).score(question, program) == 1
    assert make_verifier("code", run=True).score(question, "safe = False") == 0


@pytest.mark.parametrize(
    "answer",
    [
        "while True: pass",
        "import time; time.sleep(1000)",
        "import os\nwhile True: os.write(1, b'x' * 100_000)",
        "a = []\nwhile True: a.append(a * 2)",
        "x = 9 ** 9 ** 9",
    ],
)
def test_a_program_without_end_is_ended(answer: str) -> None:
    assert make_verifier("code", run=True, seconds=1).score(ADD, answer) == 0


@pytest.mark.parametrize("answer", ["\x00", "\ud800", "a" * 1_000_000, "(" * 100_000, "```python\n" * 10_000, "def f():\n" * 5_000])
def test_hostile_texts_are_no_programs(answer: str) -> None:
    assert make_verifier("code", run=True).score(ADD, answer) == 0


def test_what_a_model_wrote_runs_only_if_the_user_says_so() -> None:
    with pytest.raises(ConfigError, match="runs what a model wrote; if you want that, give it run=true"):
        make_verifier("code")
    with pytest.raises(ConfigError, match="seconds of 1 or more"):
        make_verifier("code", run=True, seconds=0)


def test_tests_that_are_no_python_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs tests in Python"):
        make_verifier("code", run=True).score(Question(prompt="", answer="", reference="assert ("), "x = 1")


def test_without_bubblewrap_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    sandbox.check_sandbox.cache_clear()
    try:
        with pytest.raises(SurroundingError, match="needs bubblewrap, which is not installed; apt install bubblewrap"):
            make_verifier("code", run=True).score(ADD, RIGHT[0])
    finally:
        sandbox.check_sandbox.cache_clear()
