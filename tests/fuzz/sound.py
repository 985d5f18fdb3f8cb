"""What fuzzing begins with: a sound suite, and the sound results document of the tests, which follows the schema."""

import json

from support.results import parsed, small_document

SUITE = b"""
schema: 1
name: mine
version: 1
summary: Mine.
card: Mine.
capabilities:
  manual: {jsonl: manual.jsonl, weight: 2}
  arithmetic: {source: lab.math}
test: {task: task.yaml}
"""
TASK = b"""
task: mine
dataset_path: json
dataset_kwargs: {data_files: {test: test.jsonl}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{prompt}}"
doc_to_target: "{{answer}}"
target_delimiter: ""
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""
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
