"""Updates a second beside TRL's trainers: the same lab models, prompts, group and batch sizes and number of updates, on one thread.

    python benchmarks/trl_trainers.py        # two minutes; needs readbench[test], which brings TRL

GRPO: each update samples 8 answers to each of 8 prompts, scores them and takes one step; TRL's `GRPOTrainer` against `Student` with
`grpo`. GKD: each update takes one step on 64 answers of the teacher; TRL's `GKDTrainer` (λ = 0, β = .5) against `jsd`. The ratio is of
the medians over alternating repetitions in one process.
"""

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import transformers
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer
from trl.experimental.gkd import GKDConfig, GKDTrainer

from readbench.api import Question
from readbench.base.plugins import make
from readbench.models.batches import Batch, Encoded
from readbench.models.folder import resolve_model
from readbench.models.language_model import LanguageModel
from readbench.models.writing.sampling import Sampling
from readbench.students.passes import Outcomes
from readbench.students.schedule import TrainingConfig
from readbench.students.student import Student
from readbench.suites.grading import Grader
from readbench.suites.prompts import held_out_questions
from readbench.suites.suite import load_suite
from readbench.trials.environments.rollouts.supply import advantages

UPDATES, REPEATS = 16, 3
PROMPTS, GROUP, NEW_TOKENS = 8, 8, 32  # of an update: 64 answers
RATE = 1e-6  # small: the work of an update is measured, not what it does to the student
SHARED: dict[str, Any] = {
    "use_cpu": True,
    "per_device_train_batch_size": PROMPTS * GROUP,
    "max_steps": UPDATES,
    "learning_rate": RATE,
    "report_to": "none",
    "logging_strategy": "no",
    "save_strategy": "no",
    "disable_tqdm": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "dataloader_pin_memory": False,
}
TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% if m['role'] == 'user' %}\n{% else %}{{ eos_token }}{% endif %}{% endfor %}"


def main() -> None:
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    questions = [q for each in held_out_questions(load_suite("generalist").sources(), "dev", PROMPTS * UPDATES, "speed") for q in each]
    questions = questions[:: len(questions) // (PROMPTS * UPDATES)][: PROMPTS * UPDATES]
    print("| objective | updates a second | TRL | ratio |\n|---|---|---|---|")
    for name, ours, theirs in (("grpo", _grpo(questions), _trl_grpo(questions)), ("jsd", _jsd(questions), _trl_gkd(questions))):
        ours(), theirs()
        seconds = [(_timed(ours), _timed(theirs)) for _ in range(REPEATS)]
        first, second = (UPDATES / statistics.median(each) for each in zip(*seconds, strict=True))
        print(f"| `{name}` | {first:.2f} | {second:.2f} | {first / second:.2f} |")


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _student(objective: str) -> Student:
    teacher = LanguageModel.load(resolve_model("lab/teacher"), device="cpu")

    def logits(batch: Batch, capabilities: Sequence[int]) -> torch.Tensor:  # noqa: ARG001 - one teacher teaches all
        with torch.no_grad():
            return teacher.label_logits(batch)

    training = TrainingConfig(learning_rate=RATE, step_tokens=1 << 20)  # one step a pass
    return Student.load(
        resolve_model("lab/student"), training=training, objective=make("objective", objective), device="cpu", teacher=logits
    )


def _grpo(questions: Sequence[Question]) -> Callable[[], None]:
    student, grader = _student("grpo"), Grader()
    rendered = student.model.render([question.prompt for question in questions])

    def update(number: int) -> None:
        places = [place for place in range(number * PROMPTS, (number + 1) * PROMPTS) for _ in range(GROUP)]
        prompts = [rendered[place] for place in places]
        seeds = list(range(number * len(prompts), (number + 1) * len(prompts)))
        written = student.model.sample(prompts, seeds, sampling=Sampling(), max_new_tokens=NEW_TOKENS)
        reward = np.array([grader.score(questions[place], answer.text) for place, answer in zip(places, written, strict=True)])
        outcomes = Outcomes(reward=reward, advantage=advantages(reward.reshape(PROMPTS, GROUP)).ravel())
        examples = [Encoded((*ids, *answer.ids), len(ids)) for ids, answer in zip(prompts, written, strict=True)]
        student.train(examples, progress=(0.1, 0.1), seed=0, outcomes=outcomes, own=True)

    return lambda: [update(number) for number in range(UPDATES)] and None


def _trl_grpo(questions: Sequence[Question]) -> Callable[[], object]:
    data = Dataset.from_list([{"prompt": question.prompt + "\n", "answer": question.answer} for question in questions])

    def reward(completions: list[str], answer: list[str], **_: Any) -> list[float]:
        return [float(text.strip() == right) for text, right in zip(completions, answer, strict=True)]

    config = GRPOConfig(
        output_dir=tempfile.gettempdir(), num_generations=GROUP, max_completion_length=NEW_TOKENS, beta=0.0, temperature=1.0, **SHARED
    )
    trainer = GRPOTrainer(model=_model("student"), reward_funcs=reward, args=config, train_dataset=data, processing_class=_tokenizer())
    return trainer.train  # type: ignore[no-any-return]


def _jsd(questions: Sequence[Question]) -> Callable[[], None]:
    student = _student("jsd")
    examples = [student.model.encode(question.prompt, question.answer) for question in questions for _ in range(GROUP)]
    size = PROMPTS * GROUP

    def run() -> None:
        for number in range(UPDATES):
            student.train(examples[number * size : (number + 1) * size], progress=(0.1, 0.1), seed=0)

    return run


def _trl_gkd(questions: Sequence[Question]) -> Callable[[], object]:
    turns = [[{"role": "user", "content": q.prompt}, {"role": "assistant", "content": q.answer}] for q in questions for _ in range(GROUP)]
    tokenizer = _tokenizer()
    tokenizer.chat_template = TEMPLATE
    trainer = GKDTrainer(
        model=_model("student"),
        teacher_model=_model("teacher"),
        args=GKDConfig(output_dir=tempfile.gettempdir(), lmbda=0.0, beta=0.5, max_length=256, **SHARED),
        train_dataset=Dataset.from_list([{"messages": each} for each in turns]),
        processing_class=tokenizer,
    )
    return trainer.train  # type: ignore[no-any-return]


def _model(name: str) -> Any:
    return AutoModelForCausalLM.from_pretrained(resolve_model(f"lab/{name}"))


def _tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(resolve_model("lab/student"), padding_side="left")


if __name__ == "__main__":
    main()
