"""Training speed of the lab's student: readbench against TRL's SFTTrainer and against the core's matmul limit, in one run.

    python benchmarks/train.py            # one thread, about a minute; needs the `bench` extra (trl)

Same blank model, same examples (an interval's worth of the lab's questions), same rows a step, one epoch a pass; passes of
both alternate, and each counts with its best, in CPU seconds of this process (other processes do not count). Tokens are
those of the examples, padding not counted. TRL runs as it comes, except that gradient checkpointing is off (it would
recompute every forward). The share of the limit is printed for that interval, whose lengths are mixed, and for as many
tokens of one length, which need no padding.

FLOPs of a pass, useful work only (no padding, the causal half of attention): 6 · non-embedding matmul parameters · input tokens
+ 6 · head parameters · label tokens + 6 · layers · Σ L² · width (scores and mix, forward and backward). "executed" leaves
out what readbench skips: in the last layer, everything after attention at positions that predict no label.
"""

import tempfile
import time
from pathlib import Path

import torch
from datasets import Dataset, disable_progress_bars
from machine import matmul_gflops
from transformers import AutoModelForCausalLM, PrinterCallback, TrainerCallback
from transformers.utils import logging
from trl import SFTConfig, SFTTrainer

from readbench.models.batches import Encoded, chunks_by_length
from readbench.runs.studies.lab import STUDENT, lessons, write_blank
from readbench.students.objectives.sft import sft
from readbench.students.schedule import TrainingConfig
from readbench.students.student import Student

INTERVAL_TOKENS = 10_000  # 120k tokens over 12 intervals
ROUNDS = 4


def interval_examples(student: Student) -> list[Encoded]:
    """Questions of the lab's mix, as many as an interval holds; shuffled as they come."""
    examples = next(lessons(student, STUDENT, 0))
    return examples[:: max(1, sum(len(example.tokens) for example in examples) // INTERVAL_TOKENS)]


def equal_examples(student: Student) -> list[Encoded]:
    """As many tokens, in examples of the lab's most frequent length."""
    lesson = next(lessons(student, STUDENT, 0))
    lengths = [len(example.tokens) for example in lesson]
    length = max(set(lengths), key=lambda each: (lengths.count(each), each))
    same = [example for example in lesson if len(example.tokens) == length]
    return [same[n % len(same)] for n in range(INTERVAL_TOKENS // length)]


def flops(student: Student, examples: list[Encoded]) -> tuple[float, float]:
    """(all, executed) useful floating-point operations of one pass."""
    config = student.model.network.config
    layer = 4 * config.hidden_size**2 + 3 * config.hidden_size * config.intermediate_size
    after_attention = config.hidden_size**2 + 3 * config.hidden_size * config.intermediate_size
    inputs = sum(len(example.tokens) - 1 for example in examples)
    labels = sum(example.label_count for example in examples)
    squares = sum((len(example.tokens) - 1) ** 2 for example in examples)
    head = config.hidden_size * config.vocab_size
    attention = 6 * config.num_hidden_layers * squares * config.hidden_size
    everything = 6.0 * (layer * config.num_hidden_layers * inputs + head * labels) + attention
    return everything, everything - 6.0 * after_attention * (inputs - labels)


def padding_share(examples: list[Encoded], step_tokens: int) -> float:
    """Share of padding in the model's input."""
    lengths = [len(example.tokens) for example in examples]
    given = sum(len(chunk) * max(lengths[index] for index in chunk) for chunk in chunks_by_length(lengths, step_tokens))
    return 1 - sum(lengths) / given


class StepTimes(TrainerCallback):
    """Times at which each optimiser step begins, and the end; they include data loading."""

    def __init__(self) -> None:
        self.began: list[float] = []

    def on_step_begin(self, *_: object, **__: object) -> None:
        """Called by the trainer."""
        self.began.append(time.process_time())

    def on_train_end(self, *_: object, **__: object) -> None:
        """Called by the trainer."""
        self.began.append(time.process_time())


def seconds_of_a_pass(student: Student, examples: list[Encoded], seed: int) -> float:
    """CPU seconds of one pass of training."""
    began = time.process_time()
    student.train(examples, progress=(0.4, 0.5), seed=seed)
    return time.process_time() - began


def trl_seconds(folder: Path, examples: list[Encoded], rows: int) -> float:
    """Seconds of one epoch by SFTTrainer: the faster of two; the first warms up."""
    masks = [[0] * example.prompt_length + [1] * example.label_count for example in examples]
    dataset = Dataset.from_dict({"input_ids": [list(example.tokens) for example in examples], "completion_mask": masks})
    times = StepTimes()
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
        args=SFTConfig(
            output_dir=str(folder / "trl"),
            per_device_train_batch_size=rows,
            num_train_epochs=2,
            learning_rate=5e-4,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            completion_only_loss=True,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        ),
        train_dataset=dataset,
        processing_class=None,
        callbacks=[times],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    half = len(times.began) // 2
    return min(times.began[half] - times.began[0], times.began[2 * half] - times.began[half])


def main() -> None:
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    disable_progress_bars()
    training = TrainingConfig()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_blank(folder, STUDENT)
        student = Student.load(folder, training=training, objective=sft(), device="cpu")
        examples = interval_examples(student)
        tokens = sum(len(example.tokens) for example in examples)
        rows = round(len(examples) / len(chunks_by_length([len(example.tokens) for example in examples], training.step_tokens)))
        equal = equal_examples(student)
        limit = ours = ours_equal = trl = 0.0
        for number in range(ROUNDS):
            limit = max(limit, 1e9 * matmul_gflops())
            for _ in range(3):
                ours = max(ours, tokens / seconds_of_a_pass(student, examples, number))
                ours_equal = max(ours_equal, sum(len(example.tokens) for example in equal) / seconds_of_a_pass(student, equal, number))
            trl = max(trl, tokens / trl_seconds(folder, examples, rows))
    print(f"{len(examples)} examples, {tokens} tokens, {rows} rows a step, 1 thread, best of {ROUNDS} rounds")
    print(f"readbench        {ours:9,.0f} tokens/s   padding {padding_share(examples, training.step_tokens):.1%}")
    print(f"TRL SFTTrainer   {trl:9,.0f} tokens/s")
    print(f"ratio            {ours / trl:9.2f}")
    print(f"matmul limit     {limit / 1e9:9.0f} GFLOP/s")
    for what, chosen, speed in (("mixed lengths", examples, ours), ("equal lengths", equal, ours_equal)):
        each = sum(len(example.tokens) for example in chosen)
        share, executed = (operations * speed / each / limit for operations in flops(student, chosen))
        print(f"share of it      {share:9.1%}  {what}, {speed:,.0f} tokens/s (executed: {executed:.1%})")


if __name__ == "__main__":
    main()
