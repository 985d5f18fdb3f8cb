"""How text becomes tokens: rendering is one rule."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from readbench.models.folder import load_tokenizer
from readbench.models.text import render, response_ids

TEMPLATE = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[a]{% endif %}"


@pytest.fixture
def folder(folder_of: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder_of("llama"), tmp_path / "model"))


def test_a_prompt_is_closed_by_a_newline_or_by_the_chat_template(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    assert tokenizer.decode(render(tokenizer, "1+1=")) == "1+1=\n"
    assert tokenizer.decode(response_ids(tokenizer, "2")) == "2<eos>"
    assert tokenizer.decode(response_ids(tokenizer, "2", finished=False)) == "2"
    tokenizer.chat_template = TEMPLATE
    assert tokenizer.decode(render(tokenizer, "1+1=")) == "[user]1+1=[a]"


def test_a_tokenizer_that_closes_every_text_leaves_prompts_open(folder: Path) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = load_tokenizer(folder)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    assert tokenizer.decode(render(tokenizer, "a")) == "a\n"
    assert tokenizer.decode(response_ids(tokenizer, "b")) == "b<eos>"


@pytest.mark.parametrize("text", ["", "a", "naïve <eos> ☃", "x" * 40])
def test_tokens_are_those_of_the_library(folder: Path, text: str) -> None:
    tokenizer = load_tokenizer(folder)
    assert response_ids(tokenizer, text, finished=False) == tokenizer.encode(text, add_special_tokens=False)
    assert render(tokenizer, text) == tokenizer.encode(text + "\n")


def test_a_limit_or_padding_saved_with_a_tokenizer_cuts_nothing(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    for restrict in (
        lambda: tokenizer.backend_tokenizer.enable_truncation(3),
        lambda: tokenizer.backend_tokenizer.enable_padding(length=9),
    ):
        restrict()
        assert tokenizer.decode(render(tokenizer, "12345")) == "12345\n"


def test_a_tokenizer_that_encodes_in_its_own_way_is_let(folder: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    class Reversed(PreTrainedTokenizerFast):
        def _encode_plus(self, text: str, **given: object) -> object:
            return super()._encode_plus(text[::-1], **given)

    tokenizer = Reversed(tokenizer_file=str(folder / "tokenizer.json"), eos_token="<eos>")  # noqa: S106 - a token
    assert tokenizer.decode(response_ids(tokenizer, "abc", finished=False)) == "cba"
