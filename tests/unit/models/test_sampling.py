"""Sampling: draws follow the distribution, and one prompt with one seed has one answer, whatever is asked beside it."""

from collections import Counter

import pytest
import torch

import readbench.models.writing.sampling
from readbench.base.errors import ConfigError
from readbench.models.folder import resolve_model
from readbench.models.language_model import LanguageModel
from readbench.models.writing.generation import Written
from readbench.models.writing.sampling import Sampling, drawn, gumbel, most_likely
from support.models import byte_tokenizer, random_model

PROBABILITIES = torch.tensor([0.5, 0.25, 0.15, 0.07, 0.03])
DRAWS = 40_000
PLAIN = Sampling()


def draws(sampling: Sampling, probabilities: torch.Tensor = PROBABILITIES) -> list[float]:
    """The shares of the tokens among many draws."""
    logits = probabilities.log().expand(DRAWS, -1)
    tokens, _ = drawn(logits, sampling, torch.arange(DRAWS), torch.arange(DRAWS) % 17)
    counts = Counter(tokens.tolist())
    return [counts[token] / DRAWS for token in range(len(probabilities))]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax_at_the_temperature(temperature: float) -> None:
    expected = (PROBABILITIES.log() / temperature).softmax(0).tolist()
    for share, probability in zip(draws(Sampling(temperature=temperature)), expected, strict=True):
        assert abs(share - probability) < 4 * (probability * (1 - probability) / DRAWS) ** 0.5


@pytest.mark.parametrize(("top_p", "kept"), [(0.4, 1), (0.6, 2), (0.8, 3), (0.93, 4), (1.0, 5)])
def test_top_p_draws_from_the_most_probable_tokens_alone(top_p: float, kept: int) -> None:
    shares = draws(Sampling(top_p=top_p))
    expected = PROBABILITIES[:kept] / PROBABILITIES[:kept].sum()
    assert shares[kept:] == [0.0] * (5 - kept)
    for share, probability in zip(shares, expected.tolist(), strict=False):
        assert abs(share - probability) < 4 * (probability * (1 - probability) / DRAWS) ** 0.5 + 1e-12


def test_top_p_counts_mass_at_the_temperature() -> None:
    hot = draws(Sampling(temperature=4.0, top_p=0.45))  # .27 .23 .20 .. at this temperature
    assert [share > 0 for share in hot] == [True, True, False, False, False]


def test_the_noise_is_that_of_its_seed_place_and_token_and_nothing_else() -> None:
    seeds, places = torch.tensor([3, 3, 4, -(2**63)]), torch.tensor([0, 1, 0, 5])
    together = gumbel(seeds, places, 50)
    for row in range(4):
        assert torch.equal(gumbel(seeds[row : row + 1], places[row : row + 1], 50)[0], together[row])
    assert torch.equal(gumbel(seeds, places, 20), together[:, :20])
    assert len({tuple(row.tolist()) for row in together}) == 4


def test_the_noise_is_gumbel_s() -> None:
    noise = gumbel(torch.arange(400), torch.zeros(400, dtype=torch.int64), 500)
    assert torch.isfinite(noise).all()
    assert abs(noise.mean().item() - 0.577216) < 0.01
    assert abs(noise.var().item() - torch.pi**2 / 6) < 0.02
    for shifted in (noise[:, 1:] * noise[:, :-1], noise[1:] * noise[:-1]):  # neighbours are not alike
        assert abs(shifted.mean().item() - 0.577216**2) < 0.02


def test_what_rounding_may_decide_is_noticed() -> None:
    logits = torch.tensor([[2.0, 2.0 - 5e-4, 0.0], [2.0, 1.0, 0.0], [100.0, 100.0 - 5e-3, 0.0]])
    tokens, near = most_likely(logits)
    assert (tokens.tolist(), near.tolist()) == ([0, 0, 0], [True, False, True])
    seeds, places = torch.arange(DRAWS), torch.zeros(DRAWS, dtype=torch.int64)
    rows = PROBABILITIES.log().expand(DRAWS, -1)
    chosen, near = drawn(rows, PLAIN, seeds, places)
    other, _ = drawn(rows + torch.tensor([0.0, 4e-4, -4e-4, 4e-4, 0.0]), PLAIN, seeds, places)  # as by rounding
    assert 0 < (chosen != other).sum() <= near.sum() < DRAWS / 200
    assert near[chosen != other].all()


@pytest.mark.parametrize("top_p", [0.5, 0.75, 0.9])  # .5 and .75 are borders of the nucleus
def test_a_nucleus_that_rounding_may_decide_is_noticed(top_p: float) -> None:
    seeds, places, sampling = torch.arange(DRAWS), torch.zeros(DRAWS, dtype=torch.int64), Sampling(top_p=top_p)
    alike = torch.tensor([0.5, 0.15, 0.15, 0.1, 0.1])
    for probabilities in (PROBABILITIES, alike):
        rows = probabilities.log().expand(DRAWS, -1)
        chosen, near = drawn(rows, sampling, seeds, places)
        for direction in ([1.0, -1.0, 1.0, -1.0, 1.0], [-1.0, 1.0, -1.0, 1.0, -1.0]):
            other, _ = drawn(rows + 2e-4 * torch.tensor(direction), sampling, seeds, places)
            assert near[chosen != other].all()


@pytest.fixture(scope="module")
def writers() -> list[LanguageModel]:
    """The lab's student (lean decoder), and a model that the library decodes."""
    lab = LanguageModel.load(resolve_model("lab/student"), device="cpu")
    plain = LanguageModel(random_model("gemma2").eval(), byte_tokenizer(), context=96, device="cpu")
    return [lab, plain]


PROMPTS = ["a<g top?", "3+4=", "rev abc", "who is the largest of them?", "x"]


def sampled(model: LanguageModel, wanted: list[tuple[int, int]], sampling: Sampling = PLAIN) -> list[Written]:
    rendered = model.render(PROMPTS)
    return model.sample([rendered[prompt] for prompt, _ in wanted], [seed for _, seed in wanted], sampling=sampling, max_new_tokens=12)


@pytest.mark.parametrize("sampling", [PLAIN, Sampling(temperature=1.7), Sampling(top_p=0.9)], ids=str)
def test_an_answer_does_not_depend_on_what_else_is_asked(writers: list[LanguageModel], sampling: Sampling) -> None:
    wanted = [(prompt, seed) for prompt in range(len(PROMPTS)) for seed in range(6)]
    for model in writers:
        together = dict(zip(wanted, sampled(model, wanted, sampling), strict=True))
        assert dict(zip(wanted[::-1], sampled(model, wanted[::-1], sampling), strict=True)) == together
        assert sampled(model, wanted[7:9], sampling) == [together[one] for one in wanted[7:9]]
        assert sampled(model, [wanted[3]], sampling) == [together[wanted[3]]]
        assert len(set(together.values())) > 6  # seeds and prompts differ


def test_near_ties_are_decided_alone_and_change_nothing(writers: list[LanguageModel], monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [(prompt, seed) for prompt in range(len(PROMPTS)) for seed in range(3)]
    expected = [sampled(model, wanted) for model in writers]
    monkeypatch.setattr(readbench.models.writing.sampling, "TIE", 1e9)  # every token is decided alone
    assert [sampled(model, wanted) for model in writers] == expected


def test_an_answer_ends_with_the_end_of_the_turn_or_at_its_length(writers: list[LanguageModel]) -> None:
    for model in writers:
        ends = model.writer()._ends
        for answer in sampled(model, [(prompt, seed) for prompt in range(5) for seed in range(20)]):
            assert 1 <= len(answer.ids) <= 12
            assert answer.finished == (answer.ids[-1] in ends)
            assert answer.finished or len(answer.ids) == 12
            assert not ends & set(answer.ids[:-1])


def test_an_answer_s_distribution_is_the_model_s(writers: list[LanguageModel]) -> None:
    """The first tokens of many answers to one prompt against the model's own probabilities."""
    model, count = writers[0], 3000
    (prompt,) = model.render(["3+4="])
    firsts = Counter(each.ids[0] for each in model.sample([prompt] * count, range(count), sampling=PLAIN, max_new_tokens=1))
    with torch.inference_mode():
        probabilities = model.network(input_ids=torch.tensor([prompt])).logits[0, -1].double().softmax(0)
    for token in probabilities.topk(5).indices.tolist():
        share, probability = firsts[token] / count, probabilities[token].item()
        assert abs(share - probability) < 4 * (probability * (1 - probability) / count) ** 0.5


def test_a_prompt_is_read_once_for_all_its_answers_and_an_answer_written_once(
    writers: list[LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writers[0].writer()
    one, other = writers[0].render(["x", "yz"])
    read: list[int] = []
    written: list[int] = []
    start, step = writer.decoder.start, writer.decoder.step

    def reading(prompts: list[tuple[int, ...]], max_new_tokens: int) -> torch.Tensor:
        read.append(len(prompts))
        return start(prompts, max_new_tokens)

    def writing(tokens: torch.Tensor) -> torch.Tensor:
        written.append(len(tokens))
        return step(tokens)

    monkeypatch.setattr(writer.decoder, "start", reading)
    monkeypatch.setattr(writer.decoder, "step", writing)
    answers = writer.sample([one, other, one, one, one], [1, 1, 2, 1, 3], sampling=PLAIN, max_new_tokens=3)
    assert (read[0], written[0]) == (2, 4)
    assert answers[0] == answers[3]


def test_an_answer_in_a_group_is_the_answer_alone(writers: list[LanguageModel]) -> None:
    for model in writers:
        one, other = model.render(["x", "what is it?"])
        asked = [(one, 1), (one, 2), (other, 1), (one, 3), (other, 4)]
        together = model.sample([ids for ids, _ in asked], [seed for _, seed in asked], sampling=PLAIN, max_new_tokens=8)
        alone = [model.sample([ids], [seed], sampling=PLAIN, max_new_tokens=8)[0] for ids, seed in asked]
        assert together == alone


def test_a_prompt_that_fills_the_context_is_refused() -> None:
    model = LanguageModel(random_model("llama").eval(), byte_tokenizer(), context=96, device="cpu")
    with pytest.raises(ConfigError, match="94 tokens, and 3 new ones do not fit the student's context of 96"):
        model.sample([(7,), tuple([5] * 94)], [0], sampling=PLAIN, max_new_tokens=3)
