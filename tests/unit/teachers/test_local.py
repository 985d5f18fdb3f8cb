"""Teachers: the answer to a prompt does not depend on what else is asked, and is asked for once."""

import sqlite3
import string
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import MambaConfig, MambaForCausalLM, Qwen2Config, Qwen2ForCausalLM

import readbench.models.writing.sampling
from readbench.api import Response
from readbench.base.errors import ConfigError
from readbench.models.folder import load_causal_lm, load_tokenizer
from readbench.models.text import render
from readbench.models.writing.decoding import LeanDecoder, LibraryDecoder
from readbench.teachers.cached import CachedTeacher
from readbench.teachers.local import LocalTeacher
from readbench.teachers.responses import ResponseCache
from readbench.teachers.spend.account import is_paid

PROMPTS = [f"{letter * (index % 7 + 1)} {index}" for index, letter in enumerate(string.ascii_lowercase * 2)]
PROMPT = st.text("abc 123", min_size=1, max_size=20)


@pytest.fixture(scope="module")
def teacher(folder_of: Callable[[str], Path]) -> LocalTeacher:
    return LocalTeacher(folder_of("qwen2"), device="cpu")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PROMPT, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_a_response_does_not_depend_on_the_batch(teacher: LocalTeacher, prompts: list[str], random: object) -> None:
    together = teacher.respond(prompts, max_new_tokens=6)
    assert together == [teacher.respond([prompt], max_new_tokens=6)[0] for prompt in prompts]
    assert teacher.respond(prompts[::-1], max_new_tokens=6) == together[::-1]


def test_a_random_model_s_answers_differ(teacher: LocalTeacher) -> None:  # or the test above would show nothing
    assert len({response.text for response in teacher.respond(PROMPTS, max_new_tokens=6)}) > len(PROMPTS) / 2


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen2", "gemma2"])
def test_responses_are_those_of_the_library_s_greedy_generation(family: str, folder_of: Callable[[str], Path]) -> None:
    folder = folder_of(family)
    model, tokenizer = load_causal_lm(folder, "cpu"), load_tokenizer(folder)
    responses = LocalTeacher(folder, device="cpu").respond(PROMPTS, max_new_tokens=8)
    for prompt, response in zip(PROMPTS, responses, strict=True):
        ids = render(tokenizer, prompt)
        mask = torch.ones(1, len(ids), dtype=torch.long)
        written = model.generate(torch.tensor([ids]), attention_mask=mask, max_new_tokens=8, do_sample=False)[0, len(ids) :].tolist()
        assert response.text == tokenizer.decode(written, skip_special_tokens=True)
        assert response.tokens == len(written)
        assert response.finished == (written[-1] == tokenizer.eos_token_id)


def test_which_decoder_is_taken(folder_of: Callable[[str], Path]) -> None:
    decoders = {family: LocalTeacher(folder_of(family), device="cpu")._writer.decoder for family in ("llama", "qwen2", "gpt2", "gemma2")}
    assert {type(decoders[family]) for family in ("llama", "qwen2")} == {LeanDecoder}
    assert {type(decoders[family]) for family in ("gpt2", "gemma2")} == {LibraryDecoder}
    assert all(decoder.mixes for decoder in decoders.values())


def test_large_logits_with_their_large_rounding_do_not_cost_the_cache(tmp_path: Path, folder_of: Callable[[str], Path]) -> None:
    model = load_causal_lm(folder_of("gpt2"), "cpu")
    with torch.no_grad():
        model.base_model.ln_f.weight.mul_(3000)
    model.save_pretrained(tmp_path)
    load_tokenizer(folder_of("gpt2")).save_pretrained(tmp_path)
    teacher = LocalTeacher(tmp_path, device="cpu")
    together = teacher.respond(PROMPTS[:12], max_new_tokens=4)
    assert teacher._writer.decoder.mixes
    assert together == [teacher.respond([prompt], max_new_tokens=4)[0] for prompt in PROMPTS[:12]]


BEGINNING = tuple(range(20, 32))  # of every prompt, as a chat's system prompt
MIXED = {
    "of their own": [(5, 6, 7, 8, 9), (4,), (3, 2, 5)],
    "that begin alike": [(*BEGINNING, 5, 6, 7), (*BEGINNING, 4), (*BEGINNING, 3, 2)],
    "that begin alike and then have one token": [(*BEGINNING, 5), (*BEGINNING, 4), (*BEGINNING, 3)],
    "of which one is the beginning": [(*BEGINNING, 5, 6, 7), BEGINNING, (*BEGINNING, 3, 2)],
}


@pytest.mark.parametrize("prompts", MIXED.values(), ids=MIXED)
@pytest.mark.parametrize("sharing", [1, 2, 4])  # heads that share their keys and values
def test_the_lean_decoder_gives_the_library_s_logits(sharing: int, prompts: list[tuple[int, ...]]) -> None:
    torch.manual_seed(3)
    shape = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    model = Qwen2ForCausalLM(Qwen2Config(**shape, num_key_value_heads=4 // sharing, initializer_range=0.3)).eval()  # type: ignore[arg-type]
    lean, library = LeanDecoder(model), LibraryDecoder(model, mixes=True)
    with torch.inference_mode():
        logits = [decoder.start(prompts, 3) for decoder in (lean, library)]
        for step, rows in enumerate(([2, 0], [1], None)):
            torch.testing.assert_close(logits[0], logits[1], rtol=1e-4, atol=1e-4)
            tokens = torch.arange(len(logits[0])) + 10 * step
            if rows is not None:
                tokens = tokens[rows]
                lean.keep(torch.tensor(rows))
                library.keep(torch.tensor(rows))
            logits = [decoder.step(tokens) for decoder in (lean, library)]


def test_rows_that_end_early_leave_the_others_as_they_are(teacher: LocalTeacher, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = teacher._writer
    prompts = [tuple(render(writer.tokenizer, prompt)) for prompt in PROMPTS]
    with torch.inference_mode():
        whole = writer._decode([(ids, 0) for ids in prompts], 0, 8, None)
        ends = frozenset({1, *range(0, 258, 5)})
        monkeypatch.setattr(writer, "_ends", ends)
        cut = writer._decode([(ids, 0) for ids in prompts], 0, 8, None)
    lengths = [next((place for place, token in enumerate(row.tokens, 1) if token in ends), 8) for row in whole]
    assert len(set(lengths)) > 2
    assert [row.tokens for row in cut] == [row.tokens[:length] for row, length in zip(whole, lengths, strict=True)]
    assert [row.finished for row in cut] == [row.tokens[-1] in ends for row in cut]


def test_near_ties_are_decided_alone(folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = LocalTeacher(folder_of("qwen2"), device="cpu")
    expected = teacher.respond(PROMPTS, max_new_tokens=4)
    asked: list[int] = []
    start = teacher._writer.decoder.start

    def spy(prompts: Sequence[tuple[int, ...]], max_new_tokens: int) -> torch.Tensor:
        asked.append(len(prompts))
        return start(prompts, max_new_tokens)

    monkeypatch.setattr(teacher._writer.decoder, "start", spy)
    monkeypatch.setattr(readbench.models.writing.sampling, "TIE", 1e9)
    assert teacher.respond(PROMPTS, max_new_tokens=4) == expected
    assert asked == [len(PROMPTS)] + [1] * sum(response.tokens for response in expected)


def test_a_tie_that_falls_the_other_way_alone_changes_the_rest_of_the_answer(
    folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch whose second token is wrong, as if by rounding: the answer is that of the prompt alone."""
    teacher = LocalTeacher(folder_of("qwen2"), device="cpu")
    expected = teacher.respond(PROMPTS[:6], max_new_tokens=6)
    decoder = teacher._writer.decoder
    step, batches = decoder.step, iter([True])

    def swapped(tokens: torch.Tensor) -> torch.Tensor:
        logits = step(tokens)
        if next(batches, False):
            best = logits.topk(2, dim=-1)
            for row, (first, second) in enumerate(best.indices.tolist()):
                logits[row, first] = logits[row, second] - 1e-6
        return logits

    monkeypatch.setattr(decoder, "step", swapped)
    assert teacher.respond(PROMPTS[:6], max_new_tokens=6) == expected


def test_padding_does_not_reach_a_recurrent_model_s_state(tmp_path: Path, folder_of: Callable[[str], Path]) -> None:
    torch.manual_seed(0)
    config = MambaConfig(vocab_size=258, hidden_size=16, num_hidden_layers=2, state_size=4, eos_token_id=1, pad_token_id=0)
    MambaForCausalLM(config).save_pretrained(tmp_path)
    load_tokenizer(folder_of("llama")).save_pretrained(tmp_path)
    teacher = LocalTeacher(tmp_path, device="cpu")
    together = teacher.respond(PROMPTS[:10], max_new_tokens=3)
    assert teacher._writer.decoder.mixes
    assert together == [teacher.respond([prompt], max_new_tokens=3)[0] for prompt in PROMPTS[:10]]


def test_a_prompt_beyond_the_context_names_the_lengths(teacher: LocalTeacher) -> None:
    with pytest.raises(ConfigError, match=r"a prompt has 93 tokens, and 4 new ones .* context of 96"):
        teacher.respond(["a", "x" * 92], max_new_tokens=4)


def test_a_folder_that_cannot_be_used_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no config\.json"):
        LocalTeacher(tmp_path, device="cpu")


class Counting:
    """Answers with the prompt and how often it was asked."""

    def __init__(self) -> None:
        self.prompts: list[str] = []

    def fingerprint(self) -> str:
        return "counting"

    def respond(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        self.prompts += prompts
        return [Response(text=f"{prompt}/{len(self.prompts)}", tokens=max_new_tokens, finished=True) for prompt in prompts]


def test_the_cache_asks_each_prompt_once(tmp_path: Path) -> None:
    counting = Counting()
    teacher = CachedTeacher(counting, ResponseCache(tmp_path / "responses.sqlite"))
    first = teacher.respond(["b", "a", "b"], max_new_tokens=5)
    assert first[0] == first[2]
    assert teacher.respond(["a", "c"], max_new_tokens=5)[0] == first[1]
    assert counting.prompts == ["b", "a", "c"]
    teacher.respond(["a"], max_new_tokens=6)  # another limit is another answer
    assert counting.prompts == ["b", "a", "c", "a"]
    assert teacher.respond([], max_new_tokens=5) == []


def test_the_cache_is_shared_and_survives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    first = CachedTeacher(Counting(), ResponseCache(path))
    answers = first.respond(["a", "naïve ☃"], max_new_tokens=5)
    counting = Counting()
    assert CachedTeacher(counting, ResponseCache(path)).respond(["naïve ☃", "a"], max_new_tokens=5) == answers[::-1]
    assert counting.prompts == []
    assert len(first.respond([str(index) for index in range(1200)], max_new_tokens=5)) == 1200


def test_what_was_stored_first_stays(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    one, other = (Response(text=text, tokens=1, finished=True) for text in "xy")
    ResponseCache(path).put("t", {"a": one}, max_new_tokens=5)
    assert ResponseCache(path).put("t", {"a": other}, max_new_tokens=5) == {"a": one}
    assert ResponseCache(path).get("another", ["a"], max_new_tokens=5) == {}


def test_a_teacher_whose_answers_are_all_cached_is_never_loaded(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "responses.sqlite")
    CachedTeacher(LocalTeacher(folder_of("llama"), device="cpu"), cache).respond(PROMPTS[:3], max_new_tokens=2)
    lazy = LocalTeacher(folder_of("llama"), device="cpu")
    assert len(CachedTeacher(lazy, cache).respond(PROMPTS[:3], max_new_tokens=2)) == 3
    assert "_model" not in lazy.__dict__


def test_asking_whether_it_costs_money_does_not_load_it(folder_of: Callable[[str], Path]) -> None:
    teacher = LocalTeacher(folder_of("llama"), device="cpu")
    assert not is_paid(teacher)
    assert "model" not in vars(teacher)


def test_a_damaged_cache_is_named(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    cache = ResponseCache(path)
    cache.put("t", {"a": Response(text="x", tokens=1, finished=True)}, max_new_tokens=5)
    cache.close()
    path.write_bytes(b"no database" * 100)
    with pytest.raises(ConfigError, match=r"responses\.sqlite is damaged"):
        cache.get("t", ["a"], max_new_tokens=5)


def test_a_response_is_on_disk_when_it_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    cache = ResponseCache(path)
    cache.put("t", {"a": Response(text="x", tokens=1, finished=False)}, max_new_tokens=5)
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT text, tokens, finished FROM responses").fetchall() == [("x", 1, 0)]
        assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    other.close()
    cache.close()
