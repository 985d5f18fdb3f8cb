"""IFEval's checkers: right and wrong texts for every instruction that needs no data."""

import json
from typing import Any

import pytest

from readbench import make_verifier
from readbench.api import Question
from readbench.base.errors import ConfigError, SurroundingError

LETTER = "Dear friends, we thank you. This is a letter about the sea."
CASES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("punctuation:no_comma", {}, ["No commas here.", "one two three"], ["One, two.", ","]),
    ("keywords:existence", {"keywords": ["sea", "letter"]}, [LETTER, "A letter from the SEA"], ["the sea", "", "letters only"]),
    ("keywords:forbidden_words", {"forbidden_words": ["river"]}, [LETTER, "rivers run"], ["A river.", "the RIVER"]),
    ("keywords:frequency", {"keyword": "sea", "frequency": 2, "relation": "at least"}, ["sea sea", "Sea and sea and sea"], ["sea", "none"]),
    ("keywords:letter_frequency", {"letter": "z", "let_frequency": 2, "let_relation": "at least"}, ["zzz", "Zoo zebra"], ["z", "none"]),
    ("length_constraints:number_words", {"num_words": 5, "relation": "at least"}, ["one two three four five", LETTER], ["one two", "no"]),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, ["One.\n***\nTwo.", "a\n\n***\n\nb"], ["One.", "a\n***\nb\n***\nc"]),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        ["First it rained.\n\nThen it stopped.", "A.\n\nthen b"],
        ["First.\n\nNow it stopped.", "Then it stopped."],
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, ["[name] lives at [address].", "[a][b][c]"], ["[name]", "none"]),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, ["Bye.\nP.S. Call me.", "p.s. hi"], ["Bye.", "PS: no dots"]),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, ["* one\n* two", "- a\n- b"], ["* one", "* a\n* b\n* c"]),
    (
        "detectable_format:constrained_response",
        {},
        ["My answer is yes.", "My answer is maybe.", "Well: My answer is no."],
        ["Yes.", "It depends."],
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        ["Section 1\na\nSection 2\nb", "Section 1: x Section 2: y"],
        ["Section 1", "one\ntwo"],
    ),
    ("detectable_format:json_format", {}, ['{"a": 1}', '```json\n{"a": [1, 2]}\n```'], ["a: 1", '{"a": 1']),
    ("detectable_format:title", {}, ["<<Sea>>\nA poem.", "text <<a title>>"], ["Sea", "<< >>"]),
    ("combination:two_responses", {}, ["Yes.\n******\nNo.", "a ****** b"], ["Yes.", "a ****** a"]),
    (
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Name a sea."},
        ["Name a sea.\nThe Baltic.", "name a sea. Aral"],
        ["The Baltic.", "A sea?"],
    ),
    ("startend:end_checker", {"end_phrase": "Over."}, ["Done. Over.", "over."], ["Over. Done", "end"]),
    ("startend:quotation", {}, ['"All of it."', '"a"'], ["none", '"half']),
    ("change_case:english_capital", {}, ["THIS TEXT IS WRITTEN IN CAPITAL LETTERS ONLY"], ["This Is Not In Capitals At All", "no"]),
    ("change_case:english_lowercase", {}, ["this text is written in small letters only"], ["This begins with a capital letter", "NO"]),
    (
        "language:response_language",
        {"language": "de"},
        ["Das Wetter und die Berge gefallen mir hier sehr gut."],
        ["This is an English sentence about the weather and the hills."],
    ),
]


def question(*instructions: tuple[str, dict[str, Any]]) -> Question:
    names, kwargs = [name for name, _ in instructions], [given for _, given in instructions]
    return Question(prompt="?", answer="", reference=json.dumps({"instruction_id_list": names, "kwargs": kwargs}))


@pytest.mark.parametrize(("name", "arguments", "right", "wrong"), CASES, ids=[case[0] for case in CASES])
def test_texts_that_keep_to_an_instruction_and_texts_that_do_not(
    name: str, arguments: dict[str, Any], right: list[str], wrong: list[str]
) -> None:
    verifier, asked = make_verifier("instruction"), question((name, arguments))
    assert [verifier.score(asked, text) for text in right] == [1.0] * len(right)
    assert [verifier.score(asked, text) for text in wrong] == [0.0] * len(wrong)


def test_there_are_sixty_texts() -> None:
    assert sum(len(right) + len(wrong) for _, _, right, wrong in CASES) >= 60


def test_all_instructions_count_or_the_share_of_them() -> None:
    asked = question(("punctuation:no_comma", {}), ("startend:end_checker", {"end_phrase": "Over."}))
    assert make_verifier("instruction").score(asked, "One, two. Over.") == 0
    assert make_verifier("instruction", partial=True).score(asked, "One, two. Over.") == 0.5
    assert make_verifier("instruction", partial=True).score(asked, "One two. Over.") == 1


def test_absent_arguments_are_none_in_the_dataset_s_columns() -> None:
    assert make_verifier("instruction").score(question(("punctuation:no_comma", {"num_words": None})), "a b") == 1


@pytest.mark.parametrize("text", ["", "\x00\x1b[2J", "a" * 1_000_000, "{" * 100_000, "* " * 50_000, "\n***\n" * 20_000])
def test_hostile_texts_have_a_score(text: str) -> None:
    for name, arguments, _, _ in CASES:
        assert make_verifier("instruction").score(question((name, arguments)), text) in (0.0, 1.0)


def test_language_is_told_the_same_way_each_time() -> None:
    asked = question(("language:response_language", {"language": "de"}))
    assert len({make_verifier("instruction").score(asked, "Haus house Maus mouse") for _ in range(20)}) == 1


def test_an_instruction_that_needs_data_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk.data

    monkeypatch.setattr(nltk.data, "path", [])  # the data is nowhere
    asked = question(("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}))
    with pytest.raises(SurroundingError, match=r"needs data of nltk; python -m nltk\.downloader punkt_tab"):
        make_verifier("instruction").score(asked, "One. Two. Three.")


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("", "needs a reference like"),
        ('{"instruction_id_list": [], "kwargs": []}', "needs a reference like"),
        ('{"instruction_id_list": ["punctuation:no_comma"], "kwargs": []}', "needs a reference like"),
        ('{"instruction_id_list": ["punctuation:no_coma"], "kwargs": [{}]}', "unknown instruction 'punctuation:no_coma'"),
        ('{"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{"size": 3}]}', "cannot have the arguments"),
        ('{"instruction_id_list": ["startend:end_checker"], "kwargs": [{}]}', "startend:end_checker lacks the argument 'end_phrase'"),
    ],
)
def test_a_reference_without_instructions_is_refused(reference: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_verifier("instruction").score(Question(prompt="?", answer="", reference=reference), "text")
