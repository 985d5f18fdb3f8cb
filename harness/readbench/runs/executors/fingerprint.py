"""The determinism fingerprint: measures what the bits of a result depend on besides the trial's spec.

Labels are not enough. Two machines that both report torch 2.13, AVX-512 and one thread compute different bits, since BLAS
chooses its kernels by the CPU's vendor and by environment variables (``MKL_CBWR``). So `measured_hash` runs a few steps of
a trial's work, through the same code, and hashes all results. The labels with it tell a person what differs.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from readbench._core import EnsembleBandit, instruction_set
from readbench.base.hashing import parts_digest
from readbench.base.machine import MEASURED, cpu_labels
from readbench.base.plugins import make
from readbench.models.batches import Encoded
from readbench.models.folder import resolve_model
from readbench.models.lean.cpu import onednn_is_faster
from readbench.students.schedule import TrainingConfig
from readbench.students.student import Student

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_PROMPTS = ("7+5=", "copy: abc def", "x=3;print(x*4)", "which comes after monday? list: sun mon tue wed", "[DOG!]", "12*12=")
_WIDE = ((48, 576), (576, 1536))  # shapes of a matrix product that reach the kernels of larger models


def fingerprint(device: str) -> dict[str, Any]:
    """The labels and the measured hash of this process on a resolved device; set its threads first."""
    on_gpu = device.startswith("cuda")
    return {
        **cpu_labels(),
        "torch": torch.__version__,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "blas": _blas(),
        "products": "oneDNN" if onednn_is_faster() and not on_gpu else "BLAS",
        "threads": torch.get_num_threads(),
        "instructions": instruction_set(),  # of the kernels in C++
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "dtype": "bfloat16 autocast over float32" if on_gpu else "float32",
        "optimizer": "fused AdamW",
        MEASURED: measured_hash(device),
    }


def measured_hash(device: str) -> str:
    """32 hex digits of a small fixed computation, about 0.3 s: training, scoring, generation, the library's forward, the bandit, numpy."""
    return parts_digest(_parts(device), prefix_bytes=8).hex()


def _parts(device: str) -> Iterator[bytes]:
    student = Student.load(resolve_model("lab/student"), training=TrainingConfig(), objective=make("objective", "sft"), device=device)
    model = student.model
    examples = [model.encode(prompt, prompt[::-1]) for prompt in _PROMPTS]
    long = Encoded(tuple((7 * index) % 250 for index in range(200)), 50)
    for step in range(2):
        yield student.train([*examples, long], progress=(step / 4, (step + 1) / 4), seed=step).losses.tobytes()
    for name, tensor in sorted(student.state().items()):
        yield name.encode() + tensor.numpy().tobytes()
    yield model.log_likelihoods([*examples, long])[0].tobytes()
    answers = model.answer(_PROMPTS, max_new_tokens=8)
    yield repr([(answer.text, answer.tokens, answer.finished) for answer in answers]).encode()
    yield _whole_pass(model.network, long)
    yield _library_pass(device)
    yield _bandit()
    weights = np.arange(1.0, 65.0) / 7.0
    yield np.array([weights @ np.sqrt(weights), np.exp(-weights).mean(), np.std(np.log(weights), ddof=1)]).tobytes()


def _whole_pass(network: "PreTrainedModel", example: Encoded) -> bytes:
    """Forward and backward by the library, as of models that have no faster one."""
    inputs = torch.tensor([example.tokens], device=network.device)
    loss = functional.cross_entropy(network(input_ids=inputs, use_cache=False).logits[0, :-1].float(), inputs[0, 1:])
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    return b"".join(tensor.detach().float().cpu().numpy().tobytes() for tensor in (loss, *gradients))


def _library_pass(device: str) -> bytes:
    """Forward and backward of one wide gated layer, on numbers made without a random generator."""

    def numbers(rows: int, columns: int) -> torch.Tensor:
        return (torch.arange(rows * columns, device=device).reshape(rows, columns) * 7919 % 1009).float() / 1009 - 0.5

    inputs, weight = (numbers(*shape).requires_grad_() for shape in _WIDE)
    hidden = functional.silu(functional.rms_norm(inputs, inputs.shape[1:]) @ weight)
    loss = functional.cross_entropy(hidden.softmax(-1), torch.arange(len(hidden), device=device))
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [tensor.grad for tensor in (inputs, weight) if tensor.grad is not None]
    return b"".join(tensor.detach().cpu().numpy().tobytes() for tensor in (loss, *gradients))


def _bandit() -> bytes:
    """An ensemble after a few observations, and its predictions."""
    inputs = (np.arange(96.0).reshape(8, 12) * 37 % 101) / 101
    bandit = EnsembleBandit(inputs.shape[1], seed=1, num_members=2)
    for number, row in enumerate(inputs):
        bandit.add(row, float(np.sin(number)))
    mean, spread = bandit.predict(inputs)
    return mean.tobytes() + spread.tobytes()


def _blas() -> str:
    """The libraries behind torch's CPU kernels, as torch names them."""
    lines = (line.strip(" -") for line in torch.__config__.show().splitlines())
    return "; ".join(line.partition(" for ")[0] for line in lines if line.startswith(("Intel(R) oneAPI", "Intel(R) MKL", "OpenBLAS")))
