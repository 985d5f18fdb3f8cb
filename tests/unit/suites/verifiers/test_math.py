r"""Mathematics in LaTeX, as models write it; hostile texts; and that nothing a model wrote is evaluated as Python."""

import os
import signal

import pytest

from readbench import make_verifier
from readbench.api import Question
from readbench.base.errors import ConfigError
from readbench.suites.verifiers.math import _child, solver

_ANSWERS: dict[str, tuple[list[str], list[str]]] = {
    # reference: right answers, wrong answers
    r"\frac{1}{2}": (
        [
            "0.5", "1/2", "50%", "**Answer:** 1/2", "<answer>1/2</answer>", r"The answer is $\frac{1}{2}$.", r"\boxed{\frac12}",
            r"so $x=\dfrac{1}{2}$", r"\(\frac{2}{4}\)", r"\[\boxed{\tfrac{1}{2}}\]", r"$$\frac{1}{2}$$",
        ],
        [
            "2", "1/3", "-1/2", "0.51", "12", "", "I do not know", r"\frac{2}{1}", r"\boxed{", r"\boxed{\frac{1}{2}",
            r"$\frac{1}{2}$ is wrong, the answer is $\frac{1}{3}$",
        ],
    ),
    r"\frac{\sqrt{3}}{2}": (
        [
            r"$\frac{\sqrt3}{2}$", r"\boxed{\sqrt{\frac{3}{4}}}", r"The area is $\frac{1}{2}\sqrt{3}$.", r"\frac{3}{2\sqrt{3}}",
            r"So we get $\frac{\sqrt{3}}{2}$ as the area.",
        ],
        ["2", "3", "sqrt", "0.9", r"\frac{\sqrt{2}}{3}"],
    ),
    "x^2+2x+1": (
        ["$(x+1)^2$", "$(x+1)(x+1)$", "x^2+2x+1", "The answer is x^2 + 2x + 1.", r"\boxed{x^2 + 2x + 1}", "f(x) = $1+2x+x^2$"],
        ["$(x-1)^2$", "$(x+1)^3$", "x^2+1", "y^2+2y+1", "x", "1", r"\boxed{x^2-2x+1}", "2x+2"],
    ),
    r"2\pi": (
        [r"$2\pi$", r"\boxed{2 \pi}", r"2\pi\text{ cm}", r"\boxed{2\pi \text{ meters}}", r"$\pi \cdot 2$"],
        ["2", "6.28", r"\pi", r"\pi^2"],
    ),
    "(3,4)": (["(3, 4)", "$(3,4)$", r"\boxed{(3,\,4)}", r"\left(3,4\right)"], ["(4,3)", "3", "[3,4]", "3,5"]),
    r"\{1,2\}": ([r"\{1, 2\}", r"\boxed{\{2,1\}}", r"$\{2,1\}$"], [r"\{1\}", "1", r"\{1,2,3\}"]),
    "x=3": (["$x=3$", "3", r"\boxed{3}", r"\boxed{x = 3}"], ["x=4", "y=4", "4"]),
    "3": (
        ["$x=3$", "3.0", "The answer is 3 apples.", r"\boxed{3}", "$3$ dollars", r"$\boxed{3}$.", "We have $2+1=3$"],
        ["4", "33", "three", "3x", "3 or 4", "-3", "3!", "$3^2$"],
    ),
    "1234": (["1,234", r"$1{,}234$", r"\$1234", r"\boxed{1,\!234}"], ["1,235", "234", "1.234"]),
    r"\sqrt{8}": ([r"2\sqrt2", r"$2\sqrt{2}$"], ["8", r"4\sqrt{2}"]),
    "[0,1)": (["$[0,1)$", r"\boxed{[0, 1)}", r"x \in [0,1)"], ["[0,1]", "(0,1)"]),
    r"\begin{pmatrix}1\\2\end{pmatrix}": (
        [r"$\begin{pmatrix}1\\2\end{pmatrix}$", r"\boxed{\begin{bmatrix}1\\2\end{bmatrix}}"],
        [r"$\begin{pmatrix}2\\1\end{pmatrix}$"],
    ),
    "ab+bc": (["b(a+c)", r"\boxed{bc + ba}"], ["ab+ac", "a(b+c)"]),
    r"45^\circ": (["45", r"45^\circ"], ["54", r"45\pi"]),
    "2^{10}": (["1024"], ["20", "210"]),
    "3+4i": (["4i+3"], ["3-4i"]),
    r"-\frac{1}{3}": ([r"\frac{-1}{3}"], [r"\frac{1}{3}"]),
    r"\log_2 8": (["3"], ["4"]),
    "x<3": (["$x<3$"], ["x>3", "3"]),
}  # fmt: skip
_HOSTILE = [
    "$" * 100_000,
    "\\frac{" * 30_000,
    "1" * 100_000,
    "\x00$1$\x1b[0m",
    r"\sum_{n=1}^{10^{12}} \frac{1}{n^2}",
    r"$\operatorname{zeros}(100000,100000)$",
    "__import__('os').getpid()",
    r"$\text{__import__('os').system('true')}$",
]


def _score(reference: str, answer: str, **parameters: int) -> float:
    return make_verifier("math", **parameters).score(Question(prompt="?", answer=reference), answer)


def test_there_are_enough_of_them() -> None:
    assert min(sum(len(answers[side]) for answers in _ANSWERS.values()) for side in (0, 1)) >= 60


@pytest.mark.parametrize("reference", _ANSWERS)
def test_right_and_wrong_answers(reference: str) -> None:
    right, wrong = _ANSWERS[reference]
    assert [answer for answer in right if _score(reference, answer) != 1.0] == []
    assert [answer for answer in wrong if _score(reference, answer) != 0.0] == []


def test_hostile_answers_are_wrong() -> None:
    assert [answer[:30] for answer in _HOSTILE if _score("7", answer, seconds=1) != 0.0] == []


@pytest.mark.parametrize("answer", ["9^{9^{9^{9^{9}}}}", "(10^{10})!"])
def test_algebra_without_end_is_ended(answer: str) -> None:
    assert _score("7", answer, seconds=1) == 0.0
    assert _score("7", "7", seconds=1) == 1.0


def test_a_killed_child_is_made_anew() -> None:
    assert _score("7", "7.0") == 1.0
    solver.equal.cache_clear()
    os.kill(solver._CHILDREN[os.getpid()].pid, signal.SIGKILL)
    solver._CHILDREN[os.getpid()].wait()
    assert _score("7", "7.0") == 1.0


@pytest.mark.parametrize("reference", ["", "{"])
def test_a_reference_that_is_no_latex(reference: str) -> None:
    with pytest.raises(ConfigError, match="needs LaTeX"):
        make_verifier("math").score(Question(prompt="?", answer="", reference=reference), "7")


def test_seconds_are_positive() -> None:
    with pytest.raises(ConfigError, match="seconds of 1 or more"):
        make_verifier("math", seconds=0)


@pytest.mark.parametrize(
    "text", [b"__import__('os')", b"Integer(1)(2)", b"Symbol('x')", b"def monomial_mul(A): return A\n__import__(A)", b"1 ", "1"]
)
def test_only_numbers_and_monomials_are_compiled(text: object) -> None:
    with pytest.raises(RuntimeError, match="refused"):
        _child._guard("compile", (text, "<string>"))


@pytest.mark.parametrize("text", [b"Integer (12 )", b"Float ('0.5' )", b"def monomial_pow(A, k):\n    (a0,) = A\n    return (a0*k,)\n"])
def test_these_are_compiled(text: bytes) -> None:
    _child._guard("compile", (text, "<string>"))


@pytest.mark.parametrize("event", ["subprocess.Popen", "os.system", "socket.connect"])
def test_processes_and_sockets_are_refused(event: str) -> None:
    with pytest.raises(RuntimeError, match="refused"):
        _child._guard(event, ())
