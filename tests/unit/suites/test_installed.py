"""Tests by the names of tasks that lm-eval installs, with its own gsm8k over a dataset of the same columns in a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from readbench.api import Question
from readbench.base.errors import ConfigError
from readbench.models.folder import load_tokenizer
from readbench.models.language_model import LanguageModel
from readbench.suites.evaluation.evaluate import evaluate
from readbench.suites.evaluation.installed import load_installed
from readbench.suites.grading import Grader
from readbench.suites.prompts import HeldOut
from readbench.suites.suite import Suite, load_suite
from support.suites import suite_text

ROWS = [{"question": f"Tom has {n} apples and buys {n + 1} more in a shop", "answer": f"{n} + {n + 1}\n#### {2 * n + 1}"} for n in range(9)]
CARD = "configs:\n- config_name: main\n  data_files:\n  - {split: train, path: main/train*}\n  - {split: test, path: main/test*}\n"


@pytest.fixture
def gsm8k(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """lm-eval's task finds its dataset below the working directory; the library's cache is not the user's."""
    folder = tmp_path / "openai" / "gsm8k"
    (folder / "main").mkdir(parents=True)
    for split, rows in (("train", ROWS[3:]), ("test", ROWS[:3])):
        pd.DataFrame(rows).to_parquet(folder / "main" / f"{split}.parquet")
    (folder / "README.md").write_text(f"---\n{CARD}---\n")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    load_installed.cache_clear()


def suite_of(folder: Path, tasks: str, *, more: str = "") -> Suite:
    folder.mkdir(exist_ok=True)
    sources = {"math": "source: lab.math, weight: 3", "code": "source: lab.code, weight: 1", "facts": "source: lab.math"}
    (folder / "suite.yaml").write_text(suite_text(more=more, **sources).replace("{task: task.yaml}", f"{{lm_eval: {tasks}}}"))
    return load_suite(str(folder))


@pytest.fixture
def model(folder_of: Callable[[str], Path]) -> LanguageModel:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=258, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=48, max_position_embeddings=2048,
        eos_token_id=1, bos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    return LanguageModel(LlamaForCausalLM(config).eval(), load_tokenizer(folder_of("llama")), context=2048, device="cpu")


@pytest.mark.usefixtures("gsm8k")
def test_the_utility_is_lm_eval_s_share_of_right_answers(model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(prompts: list[str], *, max_new_tokens: int) -> list[Any]:
        asked.extend(prompts)
        return sound([f"{prompt[-20:]}" for prompt in prompts], max_new_tokens=3)

    sound = model.answer
    monkeypatch.setattr(model, "answer", answer)
    suite = suite_of(tmp_path / "s", "{gsm8k: math}")
    result = evaluate(model, suite, Grader(), max_new_tokens=8)
    assert (result.utility, result.n, result.task) == (0.0, 3, "gsm8k")
    assert result.version.startswith("gsm8k 3")
    assert all(prompt.count("Question:") == 6 and prompt.endswith("\nAnswer:") for prompt in asked)  # five examples, then the question


@pytest.mark.usefixtures("gsm8k")
def test_every_model_of_every_process_is_asked_the_same(model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    sound = model.answer
    monkeypatch.setattr(model, "answer", lambda prompts, **given: asked.append(list(prompts)) or sound(prompts, **given))
    suite = suite_of(tmp_path / "s", "{gsm8k: math}")
    for process in range(2):
        load_installed.cache_clear()
        found = [evaluate(model, suite, Grader(), max_new_tokens=8) for _ in range(2)]
        assert found[0] == found[1], process
    assert asked[0] == asked[1] == asked[2] == asked[3]


@pytest.mark.usefixtures("gsm8k")
def test_answers_are_cut_and_read_as_the_task_says(model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from readbench.api import Response

    texts = ["so #### 1", "It makes 3 in all.\nQuestion: and 9?", "#### 4"]  # right, right by the forgiving filter, wrong
    monkeypatch.setattr(model, "answer", lambda prompts, **_: [Response(text=t, tokens=5, finished=True) for t in texts[: len(prompts)]])
    monkeypatch.setattr(model, "render", lambda prompts: [(1, 2, 3)] * len(prompts))
    result = evaluate(model, suite_of(tmp_path / "s", "{gsm8k: math}"), Grader(), max_new_tokens=8)
    assert result.utility == pytest.approx(2 / 3)
    assert result.tokens == 3 * (3 + 5)


@pytest.mark.usefixtures("gsm8k")
def test_a_task_that_executes_answers_is_refused(model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = suite_of(tmp_path / "s", "{gsm8k: math}")
    (task,) = load_installed(("gsm8k",)).by_name["gsm8k"]
    monkeypatch.setattr(task, "UNSAFE_CODE", True, raising=False)  # as lm-eval marks humaneval
    with pytest.raises(ConfigError, match=r"lm-eval cannot run the test: .*gsm8k which is marked as unsafe"):
        evaluate(model, suite, Grader(), max_new_tokens=8)


@pytest.mark.usefixtures("gsm8k")
def test_its_questions_are_never_taught(tmp_path: Path) -> None:
    questions, _ = suite_of(tmp_path / "s", "{gsm8k: math}").test_questions()
    assert len(questions) == 3
    for number, leaks in ((0, True), (7, False)):
        told = f"Today Tom has {number} apples and buys {number + 1} more in a shop says Ann."
        for key in ("", "a generator's own"):  # what a generator made may be in a public benchmark
            assert HeldOut(questions).leaks(Question(prompt=told, answer="1", key=key)) is leaks


@pytest.mark.usefixtures("gsm8k")
@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ("{gsm8kk: math}", "lm-eval has no task 'gsm8kk'.*gsm8k"),
        ("{arc_easy: math}", "lm-eval's task 'arc_easy' cannot be loaded: .*it needs its dataset from the hub"),
        ("{other/task.yaml: math}", "lm-eval has no task 'other/task.yaml'"),
    ],
)
def test_a_task_that_cannot_be_had_is_one_line(tmp_path: Path, tasks: str, said: str) -> None:
    suite = suite_of(tmp_path / "s", tasks)
    with pytest.raises(ConfigError, match=said) as raised:
        suite.test_prompts()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("tasks", "more", "said"),
    [
        ("{gsm8k: maths}", "", "test.lm_eval: gsm8k is of unknown capability 'maths'"),
        ("{}", "", "test.lm_eval"),
        ("{gsm8k: facts}", "", "test.lm_eval names no capability that the task needs"),
        ("{gsm8k: math}, task: task.yaml", "", "test needs one of task, generate and lm_eval"),
        ("{gsm8k: math}", "composition: [{steps: [math, code]}]\n", "lm-eval's tasks have no items of several steps"),
    ],
)
def test_a_suite_that_names_its_test_wrongly_is_one_line(tmp_path: Path, tasks: str, more: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        suite_of(tmp_path / "s", tasks, more=more)
