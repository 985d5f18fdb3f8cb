"""readbench's own objectives and teachers as plug-ins; torch-free, so that listing them costs nothing."""

from readbench.api import Objective, Teacher, objective, teacher


@objective("sft")
def sft() -> Objective:
    """Cross-entropy of the teacher's text."""
    from readbench.students.objectives.sft import CrossEntropy

    return CrossEntropy()


@teacher("hf")
def hf(model: str, device: str) -> Teacher:
    """A local Hugging Face causal language model, decoded greedily."""
    from readbench.models.folder import resolve_model
    from readbench.teachers.local import LocalTeacher

    return LocalTeacher(resolve_model(model), device=device)


@teacher("openai")
def openai(
    model: str,
    device: str,  # noqa: ARG001 - of every teacher; this one computes elsewhere
    *,
    url: str = "",
    api: str = "chat",
    served_as: str = "",
    tokenizer: str = "",
    limit_field: str = "max_tokens",
) -> Teacher:
    """A model behind an OpenAI-compatible endpoint (--teacher-url), asked greedily."""
    from readbench.teachers.endpoint.asking import make_endpoint
    from readbench.teachers.endpoint.teacher import OpenAITeacher

    endpoint = make_endpoint(model, url=url, api=api, served_as=served_as, limit_field=limit_field)
    return OpenAITeacher(endpoint, tokenizer=tokenizer)


@teacher("recorded")
def recorded(model: str, device: str) -> Teacher:  # noqa: ARG001 - of every teacher; this one computes nothing
    """What the teacher of another run said (recorded:RUN), without asking it again."""
    from pathlib import Path

    from readbench.runs.recorded import RecordedTeacher

    return RecordedTeacher(Path(model))
