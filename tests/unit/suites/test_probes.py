"""Profiles: the mean probability of the right answers, capability by capability."""

import random

import numpy as np
import pytest
import torch

from readbench.base.plugins import make
from readbench.models.folder import resolve_model
from readbench.runs.config import resolve
from readbench.students.student import Student
from readbench.suites.probes import Profile
from support.probes import measure

QUESTIONS = [[("1+1=", "2"), ("what?", "nothing")], [], [("capital", "letter a"), ("x", "y"), ("yes", "no")]]


def test_a_score_is_the_probability_of_the_whole_answer_with_the_end_of_sequence(student: Student) -> None:
    encoded = [[student.model.encode(prompt, answer) for prompt, answer in each] for each in QUESTIONS]
    profile = measure(student.model, encoded)
    for each, scores in zip(encoded, profile.scores, strict=True):
        for example, score in zip(each, scores, strict=True):
            with torch.inference_mode():
                probabilities = student.model.network(input_ids=torch.tensor([example.tokens])).logits[0].softmax(-1)
            places = range(example.prompt_length, len(example.tokens))
            product = np.prod([float(probabilities[place - 1, example.tokens[place]]) for place in places])
            assert score == pytest.approx(product, rel=1e-4)
    assert profile.score == pytest.approx([profile.scores[0].mean(), 0.0, profile.scores[2].mean()])
    soft = [scores ** (1 / np.array([e.label_count for e in each])) for scores, each in zip(profile.scores, encoded, strict=True)]
    assert profile.soft == pytest.approx([soft[0].mean(), 0.0, soft[2].mean()])
    assert profile.tokens == sum(len(example.tokens) for each in encoded for example in each)


def test_exact_match_is_what_greedy_decoding_would_write(student: Student) -> None:
    example = student.model.encode("say: ", "yes")
    for _ in range(60):
        student.train([example], progress=(0.1, 0.1), seed=0)
    right, wrong = (student.model.encode("say: ", answer) for answer in ("yes", "no"))
    profile = measure(student.model, [[right, wrong], [right]])
    assert profile.exact_match.tolist() == [0.5, 1.0]
    assert profile.score[1] > 0.5


def test_learning_the_form_of_answers_alone_earns_no_score() -> None:
    rng = random.Random(0)
    config = resolve("reasoning").config
    student = Student.load(resolve_model("lab/student"), training=config.training, objective=make("objective", "sft"), device="cpu")
    sums = [(f"{a}+{b}", str(a + b)) for a, b in ((rng.randint(100, 999), rng.randint(100, 999)) for _ in range(1600))]
    encoded = [student.model.encode(prompt, answer) for prompt, answer in sums]
    probes, taught = encoded[:40], encoded[40:]
    labels = np.array([probe.label_count for probe in probes])
    before, (form_before, _) = measure(student.model, [probes]), student.model.log_likelihoods(probes)
    student.train(taught, progress=(0.0, 0.5), seed=0)
    after, (form_after, _) = measure(student.model, [probes]), student.model.log_likelihoods(probes)
    assert after.exact_match[0] <= 0.025
    assert np.exp(form_after / labels).mean() - np.exp(form_before / labels).mean() > 0.1  # what answers look like was learned
    assert after.score[0] - before.score[0] < 0.01


def test_a_profile_is_made_again_from_its_scores(student: Student) -> None:
    encoded = [[student.model.encode(prompt, answer) for prompt, answer in each] for each in QUESTIONS]
    profile = measure(student.model, encoded)
    again = Profile.restored(profile.record(), [each.tolist() for each in profile.scores])
    assert again.loss.tolist() == profile.loss.tolist()
    assert again.soft.tolist() == profile.soft.tolist()
    assert again.score.tolist() == profile.score.tolist()
    assert again.exact_match.tolist() == profile.exact_match.tolist()


def test_a_suite_without_probes_is_all_zero(student: Student) -> None:
    assert measure(student.model, [[], []]).score.tolist() == [0.0, 0.0]
