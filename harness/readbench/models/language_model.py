"""Any causal language model: encodes text, scores answers and writes answers. It has no optimiser.

Why it is fast, and why the result is the same:

- Inputs are padded on the right and there is no attention mask: in a causal model a token sees only what comes before it,
  so that padding cannot reach a real token, and sdpa runs its causal kernel.
- Logits are computed at label positions only (a prompt has none), through the base model and its output head, where that
  equals the full forward bit for bit (checked on load: softcaps and logit scales fail the check); else through the full forward.
- The last token of an example is only a label, never an input.
- Examples are sorted by length and cut into batches of similar token counts, which keeps padding small.

On CUDA the forward runs in bf16 autocast over fp32 weights. On the CPU the same calls give the same bits.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from readbench.api import Response
from readbench.base.errors import ConfigError, SurroundingError
from readbench.base.memory import keep_freed_memory
from readbench.models import folder
from readbench.models.batches import Batch, Encoded, chunks_by_length, collate
from readbench.models.lean.cpu import Products
from readbench.models.lean.llama import LONGEST, lean_llama
from readbench.models.lean.products import choose_products, products_in
from readbench.models.loading.adapters import Adapter, Kept
from readbench.models.loading.checks import check_loaded
from readbench.models.loading.forward import fastest_logits
from readbench.models.ranks import ALONE, Ranks
from readbench.models.text import NO_CHAT, ChatConfig, render, response_ids
from readbench.models.writing.decoding import Decoder, decoder_for
from readbench.models.writing.generation import Writer, Written
from readbench.models.writing.sampling import Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from readbench.models.sharded import AtPositions

# per forward pass without gradients: more than a core's cache holds takes up to twice as long, a GPU wants more
_SCORE_TOKENS, _SCORE_TOKENS_CUDA = 1024, 16_384


class LanguageModel:
    """A network with its tokenizer and context. Not shared between threads."""

    def __init__(
        self, network: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", *, context: int, device: str, chat: ChatConfig = NO_CHAT
    ) -> None:
        keep_freed_memory()
        if device == "cpu":
            choose_products()
        self.tokenizer = tokenizer
        self.context = context
        self.chat = chat
        self.device = torch.device(device)
        self.autocast = self.device.type == "cuda"
        self._score_tokens = _SCORE_TOKENS_CUDA if self.autocast else _SCORE_TOKENS
        self._ranks = ALONE  # that share the weights out
        self._shares: AtPositions | None = None
        self.products: Products = "float32"  # how the CPU multiplies in training and scoring; answers are always written in float32
        self._compiles = False
        self._recomputes = False  # activations, where gradients are recorded
        self._adapter: Adapter | None = None
        self._kept: Kept | None = None  # of a merged one
        self._hold(network)

    def _hold(self, network: "PreTrainedModel") -> None:
        """Chooses how the network is computed."""
        self.network = network
        logits_at = fastest_logits(network)
        self._logits_at = torch.compile(logits_at, dynamic=True) if self._compiles else logits_at
        self._lean = None if self._compiles else lean_llama(network)
        self._decoder: Decoder | None = None  # chosen when it first writes: the choice takes longer than a short answer

    def compile(self) -> None:
        """Computes logits by torch.compile from now on; SurroundingError where that does not work."""
        self._compiles = True
        self._hold(self.network)
        inputs = torch.zeros((2, 4), dtype=torch.int64, device=self.device)
        try:
            self._logits_at(inputs, torch.arange(8, device=self.device))
        except Exception as error:  # it raises whatever the compiler behind it does
            reason = (str(error) or type(error).__name__).strip().splitlines()[0][:200]
            raise SurroundingError(
                f"the student cannot be compiled: {reason}", hint="install a C++ compiler, or drop training.compile"
            ) from error

    def add_adapter(self, *, rank: int, alpha: float, targets: Sequence[str] | str) -> None:
        """Trains a low-rank adapter from now on; ConfigError if a target is no matrix of the network."""
        self._adapter = Adapter(self.network, rank=rank, alpha=alpha, targets=targets)
        self._hold(self.network)

    def share_out(self, ranks: Ranks) -> None:
        """Keeps only this rank's share of the weights from now on; the ranks make the same calls, and rank 0's results are all ranks'."""
        from readbench.models.sharded import shared_out

        self._ranks = ranks
        self._shares = shared_out(self.network, self._logits_at, self.device, ranks)
        self._logits_at, self._lean, self._decoder = self._shares, None, None

    def whole_weights(self) -> dict[str, torch.Tensor] | None:
        """All weights by name, on the CPU of rank 0; None where they are not shared out."""
        if self._shares is None:
            return None
        ties = self.network.config.get_text_config().tie_word_embeddings
        tied = set(getattr(self.network, "_tied_weights_keys", None) or ()) if ties else set()  # saved once
        own = {name: tensor for name, tensor in self.network.state_dict().items() if name not in tied}
        found = {name: tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor for name, tensor in own.items()}
        return {name: tensor.cpu() for name, tensor in found.items()} if self._ranks.leads else {}

    @contextmanager
    def _writing(self) -> Iterator[Writer]:
        """Generation with the current weights, all of which are here meanwhile."""
        if self._shares is None:
            yield self.writer()
            return
        from readbench.models.sharded import gathered

        with gathered(self._shares):
            yield self.writer()

    def trained_adapter(self) -> Kept | None:
        """The adapter that is being trained, as it is now."""
        return None if self._adapter is None else self._adapter.kept()

    def merge_adapter(self) -> None:
        """Takes the adapter, if there is one, into the weights; the model cannot be trained any more."""
        if self._adapter is not None:
            network, self._kept = self._adapter.merge()
            self._adapter = None
            self._hold(network)

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        device: str,
        chat: ChatConfig = NO_CHAT,
        weights: folder.Weights = "float32",
        products: Products = "float32",
    ) -> "LanguageModel":
        """The model in a folder; ConfigError if it cannot be loaded or its numbers cannot be trusted."""
        network, tokenizer = folder.load_causal_lm(path, device, weights), folder.load_tokenizer(path)
        check_loaded(network, tokenizer)
        model = cls(network, tokenizer, context=folder.context_length(path), device=device, chat=chat)
        model.products = products
        return model

    def recompute_activations(self) -> None:
        """Trains with less memory and more time from now on; ConfigError where the network cannot."""
        enable: Any = getattr(self.network, "activation_checkpointing_enable", self.network.gradient_checkpointing_enable)
        try:
            enable({"use_reentrant": False})
        except ValueError as error:
            raise ConfigError(f"the student cannot compute activations again: {error}", hint="drop training.checkpointing") from error
        self._recomputes = True

    def encode(self, prompt: str, response: str, *, finished: bool = True) -> Encoded:
        """The example's tokens; ConfigError if they do not fit the context or the response has no label token."""
        prompt_ids = render(self.tokenizer, prompt, self.chat)
        label_ids = response_ids(self.tokenizer, response, finished=finished)
        length = len(prompt_ids) + len(label_ids)
        if length > self.context:
            raise ConfigError(
                f"an example has {len(prompt_ids)} + {len(label_ids)} tokens, the model's context {self.context}",
                hint="use shorter prompts, a smaller max_new_tokens, or a model with a longer context",
            )
        if not prompt_ids or not label_ids:
            raise ConfigError("an example has an empty prompt or an empty, unfinished response", hint="check the teacher and the prompts")
        return Encoded((*prompt_ids, *label_ids), len(prompt_ids))

    def render(self, prompts: Sequence[str]) -> list[tuple[int, ...]]:
        """The prompts' tokens."""
        return [tuple(render(self.tokenizer, prompt, self.chat)) for prompt in prompts]

    def writer(self) -> Writer:
        """Generation with the current weights; make a new one after they change."""
        self._decoder = decoder_for(self.network) if self._decoder is None else self._decoder.renewed()
        return Writer(self.network, self.tokenizer, self._decoder)

    def answer(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[Response]:
        """Greedy answers with the current weights, cut at the end of the context; ConfigError if a prompt alone fills it."""
        rendered = self.render(prompts)
        room = self.context - max(map(len, rendered))
        if room < 1:
            raise ConfigError(f"a prompt fills the model's context of {self.context} tokens", hint="use shorter prompts")
        with self._writing() as writer:
            return self._ranks.agree(writer.respond(rendered, max_new_tokens=min(max_new_tokens, room)))

    def sample(self, prompts: Sequence[tuple[int, ...]], seeds: Sequence[int], *, sampling: Sampling, max_new_tokens: int) -> list[Written]:
        """Answers to rendered prompts, each drawn with the current weights by its own seed; ConfigError where one might not fit."""
        self.check_room(prompts, max_new_tokens)
        with self._writing() as writer:
            return self._ranks.agree(writer.sample(prompts, seeds, sampling=sampling, max_new_tokens=max_new_tokens))

    def check_room(self, prompts: Sequence[tuple[int, ...]], max_new_tokens: int) -> None:
        """ConfigError where an answer to one of the prompts might not fit."""
        longest = max(map(len, prompts))
        if longest + max_new_tokens > self.context:
            raise ConfigError(
                f"a prompt has {longest} tokens, and {max_new_tokens} new ones do not fit the student's context of {self.context}",
                hint="use shorter prompts, a smaller max_new_tokens, or a student with a longer context",
            )

    def log_likelihoods(self, examples: Sequence[Encoded]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """(N,) summed log-probability of the labels in nats, and (N,) whether every label is the most likely token (greedy).

        The batches depend only on the examples' lengths, so the same call gives the same bits.
        """
        log_likelihood = np.zeros(len(examples))
        greedy = np.zeros(len(examples), dtype=np.bool_)
        if not examples:
            return log_likelihood, greedy
        with self._reading():
            for chunk in chunks_by_length([len(example.tokens) for example in examples], self._score_tokens):
                batch = collate([examples[index] for index in chunk], self.device)
                logits = self.label_logits(batch)
                chosen = -functional.cross_entropy(logits, batch.labels, reduction="none")
                hits = logits.argmax(1) == batch.labels
                log_likelihood[chunk] = np.add.reduceat(chosen.double().cpu().numpy(), batch.starts)
                greedy[chunk] = np.logical_and.reduceat(hits.cpu().numpy(), batch.starts)
        return self._ranks.agree((log_likelihood, greedy))

    def multiplying(self) -> AbstractContextManager[None]:
        """Products of matrices as the model's are, for as long as the block lasts."""
        return nullcontext() if self.autocast else products_in(self.products)

    def _reading(self) -> AbstractContextManager[object]:
        """Without gradients; shared-out weights are gathered into buffers that a training step uses too."""
        return torch.inference_mode() if self._shares is None else torch.no_grad()

    def label_log_probabilities(self, examples: Sequence[Encoded], *, temperature: float = 1.0) -> list[npt.NDArray[np.float64]]:
        """The log-probabilities of each example's labels in nats, at a temperature; batches as in `log_likelihoods`."""
        return self._at_labels(examples, lambda logits, labels: log_probabilities(logits, labels, temperature).double())

    def label_top(self, examples: Sequence[Encoded], k: int, *, temperature: float = 1.0) -> list[npt.NDArray[np.float64]]:
        """Of each example a matrix as `readbench.api.ScoringTeacher.top` has it, at a temperature, without unused rows of the table."""
        return self._at_labels(examples, lambda logits, _: top_of(logits[:, : len(self.tokenizer)], k, temperature))

    def _at_labels(
        self, examples: Sequence[Encoded], found: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    ) -> list[npt.NDArray[np.float64]]:
        """Of each example what is found at its labels, from their logits (N, V) and themselves (N,)."""
        each: list[npt.NDArray[np.float64]] = [np.zeros(0)] * len(examples)
        with self._reading():
            for chunk in chunks_by_length([len(example.tokens) for example in examples], self._score_tokens):
                batch = collate([examples[index] for index in chunk], self.device)
                rows = found(self.label_logits(batch), batch.labels).cpu().numpy()
                for index, part in zip(chunk, np.split(rows, batch.starts[1:]), strict=True):
                    each[index] = part
        return self._ranks.agree(each)

    def label_logits(self, batch: Batch) -> torch.Tensor:
        """(N, V) fp32 logits that predict the label tokens, with gradients if they are recorded."""
        recomputes = self._recomputes and torch.is_grad_enabled()
        if self._lean is not None and not self.autocast and not recomputes and batch.inputs.shape[1] <= LONGEST:
            with self.multiplying():
                return self._lean(batch.inputs, batch.positions)
        with self.multiplying(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            return self._logits_at(batch.inputs, batch.positions).float()

    def save_pretrained(self, folder: Path, *, base: str = "", weights: dict[str, torch.Tensor] | None = None) -> None:
        """Saves what AutoModelForCausalLM and AutoTokenizer can load, and beside it the adapter that was merged, if one was.

        `base` is what the adapter calls its base model; its folder, where none is given. `weights` are all of those that are shared out.
        """
        self.network.save_pretrained(folder, state_dict=weights)
        self.tokenizer.save_pretrained(folder)
        if self._kept is not None:
            self._kept.save(folder / "adapter", base=base or str(self.network.name_or_path))


def top_of(logits: torch.Tensor, k: int, temperature: float) -> torch.Tensor:
    """(N, 2·k + 1) in double, by (N, V) logits: ids and log-probabilities of the k < V most probable tokens, and of the rest."""
    log_p = (logits.double() / temperature).log_softmax(1)
    best = log_p.topk(min(k, logits.shape[1] - 1), dim=1)
    rest = log_p.scatter(1, best.indices, -torch.inf).logsumexp(1, keepdim=True)
    return torch.cat([best.indices.double(), best.values, rest], dim=1)


def log_probabilities(logits: torch.Tensor, labels: torch.Tensor, temperature: float) -> torch.Tensor:
    """(N,) of (N,) labels by (N, V) logits."""
    if temperature != 1.0:
        logits = logits / temperature
    return logits.gather(1, labels[:, None])[:, 0] - logits.logsumexp(1)
