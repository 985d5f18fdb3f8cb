"""The verdicts as JUnit XML: one test case per allocator and metric, which every CI system shows."""

from xml.etree import ElementTree

from readbench.views.console.text import printable  # also what XML 1.0 cannot hold, even escaped: control characters, lone surrogates
from readbench.views.gate.formats.wording import numbers, remarks, why_inconclusive
from readbench.views.gate.outcome import Outcome
from readbench.views.gate.verdicts import Status, Verdict


def junit_xml(outcome: Outcome) -> bytes:
    """A regression is a failure, an inconclusive verdict a skipped case, or a failure where the gate fails on it."""
    fails = {Status.REGRESSION} | ({Status.INCONCLUSIVE} if outcome.inconclusive == "fail" else set())
    failures = sum(len(outcome.of(status)) for status in fails)
    counts = {
        "tests": str(len(outcome.verdicts)),
        "failures": str(failures),
        "errors": "0",
        "skipped": str(len(outcome.of(Status.INCONCLUSIVE)) if Status.INCONCLUSIVE not in fails else 0),
    }
    suites = ElementTree.Element("testsuites", {"name": "readbench check"} | counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": printable(outcome.suite)} | counts)
    for verdict in outcome.verdicts:
        _case(suite, verdict, fails=verdict.status in fails)
    ElementTree.SubElement(suite, "system-out").text = "\n".join(printable(line) for line in remarks(outcome))
    ElementTree.indent(suites)
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(suite: ElementTree.Element, verdict: Verdict, *, fails: bool) -> None:
    case = ElementTree.SubElement(suite, "testcase", {"classname": printable(verdict.allocator), "name": printable(verdict.metric)})
    if fails or verdict.status is Status.INCONCLUSIVE:
        message = numbers(verdict) if verdict.status is Status.REGRESSION else why_inconclusive(verdict)
        ElementTree.SubElement(case, "failure" if fails else "skipped", {"message": f"{verdict.status}: {message}"})
    ElementTree.SubElement(case, "system-out").text = f"{verdict.status}: {numbers(verdict)}"
