"""readbench's own objectives and teachers as plug-ins; torch-free, so that listing them costs nothing."""

from readbench.api import Objective, Teacher, objective, teacher


@objective("sft")
def sft() -> Objective:
    """Cross-entropy of the teacher's text."""
    from readbench.objectives import CrossEntropy

    return CrossEntropy()


@teacher("hf")
def hf(model: str, device: str) -> Teacher:
    """A local Hugging Face causal language model, decoded greedily."""
    from readbench.models import resolve_model
    from readbench.teachers import LocalTeacher

    return LocalTeacher(resolve_model(model), device=device)
