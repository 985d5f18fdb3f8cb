"""Chat templates: what ends an answer, what a template is given, and what it may not depend on."""

import pytest

from readbench.base.errors import ConfigError
from readbench.models.text import ChatConfig, answers_of, render, response_ids, turn_end
from support.models import byte_tokenizer

TURNS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"


def chat_tokenizer(template: str):
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_end|>"]})
    tokenizer.chat_template = template
    return tokenizer


def test_an_answer_ends_with_the_token_that_ends_a_turn() -> None:
    tokenizer = chat_tokenizer(TURNS)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert end != tokenizer.eos_token_id
    assert turn_end(tokenizer) == end
    assert response_ids(tokenizer, "4")[-1] == end
    assert response_ids(tokenizer, "4", finished=False) == tokenizer.encode("4", add_special_tokens=False)


def test_without_a_template_it_ends_with_eos() -> None:
    tokenizer = byte_tokenizer()
    assert response_ids(tokenizer, "4")[-1] == tokenizer.eos_token_id


def test_the_system_prompt_and_the_arguments_reach_the_template() -> None:
    tokenizer = chat_tokenizer(TURNS + "{{ ' thinks' if enable_thinking else ' answers' }}")
    chat = ChatConfig(system="Be brief.", template_args={"enable_thinking": False})
    assert tokenizer.decode(render(tokenizer, "2+2", chat)) == "<system>Be brief.<|im_end|><user>2+2<|im_end|><assistant> answers"


def test_a_template_that_prints_the_date_prints_the_same_one_on_every_day() -> None:
    tokenizer = chat_tokenizer("{{ strftime_now('%d %b %Y') }} " + TURNS)
    text = tokenizer.decode(render(tokenizer, "2+2"))
    assert text.startswith("26 Jul 2024 ")
    tokenizer.chat_template = {"default": tokenizer.chat_template, "tool_use": "none"}
    assert tokenizer.decode(render(tokenizer, "2+2")) == text


@pytest.mark.parametrize("template", ["{{ raise_exception('no') }}", "{{ messages[7].content }}", "{% for %}", "{{ missing.field }}"])
def test_a_template_that_fails_costs_a_line(template: str) -> None:
    with pytest.raises(ConfigError, match="cannot be rendered"):
        render(chat_tokenizer(template), "2+2")


def test_chat_settings_without_a_template_are_refused() -> None:
    with pytest.raises(ConfigError, match="no chat template"):
        render(byte_tokenizer(), "2+2", ChatConfig(system="Be brief."))


def test_answers_are_cached_under_how_the_model_is_spoken_to() -> None:
    plain = answers_of("f", ChatConfig())
    assert plain == "f:greedy-1"
    assert len({plain, answers_of("f", ChatConfig(system="a")), answers_of("f", ChatConfig(system="b"))}) == 3
