"""The model behind lm-eval's model interface; it keeps count of the tokens that the student reads and generates."""

from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from readbench.base.errors import ConfigError
from readbench.models.language_model import LanguageModel


class Adapter(LM):  # type: ignore[misc]
    """Answers lm-eval's requests with the same tokens as in training: the rendered prompt, and a target that EOS closes."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self._model = model
        self.tokens = 0

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Each target's log-likelihood in nats, and whether greedy decoding would write it."""
        encoded = [self._model.encode(*request.args) for request in requests]
        self.tokens += sum(len(example.tokens) for example in encoded)
        log_likelihood, greedy = self._model.log_likelihoods(encoded)
        return [(float(value), bool(match)) for value, match in zip(log_likelihood, greedy, strict=True)]

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """Greedy answers, cut before the first stop text; ConfigError for a task that asks for samples."""
        answers = [""] * len(requests)
        by_limit: dict[int, list[int]] = {}
        for index, request in enumerate(requests):
            by_limit.setdefault(_limit(request), []).append(index)
        for limit, indices in by_limit.items():
            prompts = [requests[index].args[0] for index in indices]
            self.tokens += sum(map(len, self._model.render(prompts)))
            for index, response in zip(indices, self._model.answer(prompts, max_new_tokens=limit), strict=True):
                self.tokens += response.tokens
                answers[index] = _before(response.text, requests[index].args[1].get("until", ()))
        return answers

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """ConfigError: the perplexity of a text is no utility."""
        raise ConfigError(f"lm-eval's task {requests[0].task_name!r} measures perplexity", hint="name a task with right and wrong answers")


def _limit(request: Instance) -> int:
    """The most new tokens of an answer."""
    settings: dict[str, Any] = request.args[1]
    if settings.get("do_sample") or float(settings.get("temperature") or 0) > 0 or settings.get("num_beams", 1) != 1:
        raise ConfigError(f"lm-eval's task {request.task_name!r} samples its answers", hint="only greedy answers can be repeated")
    given = (settings[key] for key in ("max_gen_toks", "max_new_tokens", "max_tokens") if key in settings)
    return int(next(given, 256))  # the bound of lm-eval's own models


def _before(text: str, stops: str | list[str]) -> str:
    for stop in [stops] if isinstance(stops, str) else stops:
        if stop:
            text = text.split(stop, 1)[0]
    return text
