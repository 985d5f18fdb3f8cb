"""What fuzzing begins with: a sound suite, and the sound results document of the tests, which follows the schema."""

import json

from support import suites
from support.results import parsed, small_document
from support.suites import suite_text

SUITE = suite_text(manual="jsonl: manual.jsonl, weight: 2", arithmetic="source: lab.math").encode()
TASK = suites.TASK.encode()
QUESTIONS = b"".join(b'{"prompt": "%d?", "answer": "%d", "factors": {"n": %d}}\n' % (n, n, n) for n in range(4))


RESULTS = small_document()
RESULTS["environment"] |= {"command": ["readbench", "run"], "packages": {"torch": "2"}, "git": None, "cores": 2}
SOUND = parsed(RESULTS)
SEEDS = {  # inputs that are made, not kept: they change with the schema
    "suite": [SUITE],
    "task": [TASK],
    "questions": [QUESTIONS],
    "results": [json.dumps(RESULTS).encode()],
    "document": [b""],
    "page": [b""],
    "baseline": [b"\0"],
}
