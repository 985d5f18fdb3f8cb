"""How fast a GPU trains a student of random weights, how much memory that takes, and whether it computes what the CPU computes.

    python benchmarks/gpu.py                               # Qwen2's 0.5B and 1.5B shapes on the first GPU
    python benchmarks/gpu.py --device cpu --shapes tiny    # the same code where there is none

Prints a table in markdown. Utilisation is 6 · parameters · tokens / seconds over the device's peak of dense bf16 products. The peak is
that of the maker's data sheet where the card is listed, else measured with one large product.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from readbench.api import Question
from readbench.base.plugins import make
from readbench.models.batches import Encoded
from readbench.models.folder import load_tokenizer, resolve_device, resolve_model
from readbench.models.loading.headers import num_parameters
from readbench.runs.planning.cost import DEVICES
from readbench.runs.planning.memory import forecast_memory
from readbench.students.passes import Outcomes
from readbench.students.schedule import TrainingConfig
from readbench.students.student import Student


@dataclass(frozen=True)
class Shape:
    """A student, and the sequences that it is trained on."""

    config: dict[str, int]
    length: int  # tokens of a sequence, of which the last quarter are labels
    sequences: int  # a step

    @property
    def step_tokens(self) -> int:
        """Of a step's sequences."""
        return self.length * self.sequences


QWEN = {"vocab_size": 151_936, "num_key_value_heads": 2, "max_position_embeddings": 4096}
SHAPES = {
    "tiny": Shape(
        {"vocab_size": 512, "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
        | {"num_key_value_heads": 2, "max_position_embeddings": 512},
        length=256,
        sequences=4,
    ),
    "0.5b": Shape(QWEN | {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14}, 2048, 8),
    "1.5b": Shape(QWEN | {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12}, 2048, 8),
}
STEPS = 6  # timed


def peak_flops(device: str) -> tuple[float, str]:
    """The device's, and where it is from."""
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device).lower().replace(" ", "")
        for known, peak in DEVICES.items():
            if known in name:
                return peak, "data sheet"
    size = 8192 if device.startswith("cuda") else 1024
    a = torch.ones(size, size, dtype=torch.bfloat16 if device.startswith("cuda") else torch.float32, device=device)
    seconds = []
    for _ in range(4):
        began = time.perf_counter()
        _ = (a @ a).sum().item()
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 / min(seconds), "measured"


def examples_of(shape: Shape, steps: int) -> list[Encoded]:
    """Random sequences."""
    rng = np.random.default_rng(0)
    rows = rng.integers(2, 250, size=(steps * shape.sequences, shape.length))
    return [Encoded(tuple(row.tolist()), shape.length * 3 // 4) for row in rows]


def like(shape: Shape) -> Question:
    """A question as long as a sequence's prompt, with an answer as long as its labels."""
    labels = shape.length // 4
    return Question(prompt="p" * (shape.length - labels - 1), answer="a" * (labels - 1))


def outcomes_of(examples: list[Encoded]) -> Outcomes:
    """What rlad is told: alternating rewards, and a teacher that is a little surer than chance."""
    signs = np.resize([1.0, -1.0], len(examples))
    return Outcomes(reward=(signs + 1) / 2, advantage=signs, teacher_logprob=[np.full(e.label_count, -4.0) for e in examples])


def trained(student: Student, objective: str, examples: list[Encoded], number: int) -> np.ndarray:
    """The losses of a pass."""
    told = outcomes_of(examples) if objective == "rlad" else None
    return student.train(examples, progress=(0.1, 0.1), seed=number, outcomes=told, own=objective == "rlad").losses


def measured(folder: Path, shape: Shape, objective: str, device: str, training: TrainingConfig) -> tuple[float, int]:
    """Tokens a second of training, and the most bytes that were allocated."""
    student = Student.load(folder, training=training, objective=make("objective", objective), device=device)
    trained(student, objective, examples_of(shape, 1), 0)
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    examples = examples_of(shape, STEPS)
    began = time.perf_counter()
    trained(student, objective, examples, 1)  # ends with a transfer, and so with the last step
    seconds = time.perf_counter() - began
    return STEPS * shape.step_tokens / seconds, torch.cuda.max_memory_allocated() if device.startswith("cuda") else 0


def apart(folder: Path, shape: Shape, objective: str, device: str, training: TrainingConfig) -> float:
    """The largest relative difference of the losses of the first steps on the device from those on the CPU."""
    found = []
    for place in (device, "cpu"):
        student = Student.load(folder, training=training, objective=make("objective", objective), device=place)
        found.append(trained(student, objective, [Encoded(e.tokens[:96], 64) for e in examples_of(shape, 1)], 0))
    return float(np.max(np.abs(found[0] - found[1]) / np.maximum(np.abs(found[1]), 1.0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--shapes", default="0.5b,1.5b")
    parser.add_argument("--objectives", default="sft,rlad")
    given = parser.parse_args()
    device = resolve_device(given.device)
    torch.set_num_threads(1)
    peak, source = peak_flops(device)
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else "this CPU, one core"
    print(f"{name}: peak {peak / 1e12:.3g} TFLOP/s ({source}), torch {torch.__version__}\n")
    print("| student | objective | checkpointing | tokens/s | utilisation | peak memory | forecast | apart from the CPU |")
    print("|---|---|---|---|---|---|---|---|")
    for label in given.shapes.split(","):
        shape = SHAPES[label]
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            torch.manual_seed(0)
            Qwen2ForCausalLM(Qwen2Config(**shape.config, tie_word_embeddings=True, eos_token_id=1)).save_pretrained(folder)
            load_tokenizer(resolve_model("lab/student")).save_pretrained(folder)
            size = num_parameters(folder)
            for objective in given.objectives.split(","):
                difference = apart(folder, shape, objective, device, TrainingConfig(step_tokens=shape.step_tokens))
                for checkpointing in (False, True):
                    training = TrainingConfig(step_tokens=shape.step_tokens, micro_tokens=4 * shape.length, checkpointing=checkpointing)
                    rate, most = measured(folder, shape, objective, device, training)
                    memory = forecast_memory(folder, training, questions=[like(shape)], max_new_tokens=1, on_gpu=device != "cpu")
                    parts = sum(part.size or 0 for part in memory.parts if part.name != "cache")
                    shown = f"{most / 1e9:.1f} GB | {parts / 1e9:.1f} GB ({parts / most - 1:+.0%})" if most else f"– | {parts / 1e9:.2g} GB"
                    row = (f"{label} ({size / 1e6:.1f} M)", objective, "yes" if checkpointing else "no", f"{rate:,.0f}")
                    print(f"| {' | '.join(row)} | {6 * size * rate / peak:.0%} | {shown} | {difference:.1e} |")


if __name__ == "__main__":
    main()
