"""One question of each capability, with the answers of the teacher, of the untrained student and of each allocator's student."""

from readbench.views.console.text import printable
from readbench.views.report.model import Answer, Example
from readbench.views.report.view import View

LONGEST = 2_000  # characters shown of a prompt or an answer


def examples(view: View) -> tuple[Example, ...]:
    """In the order of the view's capabilities; none where the run stopped before the questions were asked."""
    start = view.results.start
    by_capability = {example.capability: example for example in (start.examples if start else ())}
    made = []
    for capability in view.capabilities:
        if capability not in by_capability:
            continue
        example = by_capability[capability]
        wanted = example.answer
        answers = [Answer(who="right answer", text=shown(wanted))]
        if example.teacher is not None:
            answers.append(Answer(who="teacher", text=shown(example.teacher), right=_same(example.teacher, wanted)))
        answers.append(Answer(who="student before", text=shown(example.before), right=_same(example.before, wanted)))
        answers += [_after(view, name, capability, wanted) for name in view.trials]
        made.append(
            Example(
                capability=printable(capability),
                requirement=f"{view.required(capability):.0%} of the task" if view.required(capability) else "not needed",
                prompt=shown(example.prompt),
                answers=tuple(answers),
            )
        )
    return tuple(made)


def _after(view: View, name: str, capability: str, wanted: str) -> Answer:
    """The first seed's answer; the number of seeds whose student is right is beside the name."""
    said = [trial.answers[capability] for trial in view.trials[name]]
    right = sum(_same(text, wanted) for text in said)
    seeds = f"{right} of {len(said)} right" if len(said) > 1 else ""
    return Answer(who=printable(name), note=seeds, text=shown(said[0]), right=_same(said[0], wanted))


def _same(said: str, wanted: str) -> bool:
    return said.strip() == wanted.strip()


def shown(text: str) -> str:
    """Printable, with its line breaks, cut where it is very long."""
    kept = text[:LONGEST]
    cut = f"\n… {len(text) - LONGEST:,} more characters" if len(text) > LONGEST else ""
    return "\n".join(printable(line) for line in kept.replace("\r\n", "\n").split("\n")) + cut
