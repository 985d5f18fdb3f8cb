"""A frozen sentence encoder: any Hugging Face model with safetensors weights that transformers itself knows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from readbench.base.errors import ConfigError
from readbench.models.folder import check_model

_LONGEST = 8192  # tokens, of an encoder that states no context


def embed(encoder: Path, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """(n, d) unit vectors: the mean of the last hidden states over a text's tokens, as sentence encoders are trained.

    A text longer than the encoder's context is cut. ConfigError for a folder that is no such encoder, or whose code would have to run.
    """
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    check_model(encoder)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        tokenizer = AutoTokenizer.from_pretrained(encoder, trust_remote_code=False, local_files_only=True)
        model, info = AutoModel.from_pretrained(
            encoder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # of transformers: an architecture that it does not know, weights that do not fit
        raise ConfigError(f"encoder {encoder} cannot be loaded: {' '.join(str(error).split()):.200}") from None
    missing = sorted(key for key in info["missing_keys"] if not key.startswith("pooler."))  # of which the last hidden states know nothing
    if missing:  # transformers would fill them with random numbers
        raise ConfigError(f"encoder {encoder} lacks {len(missing)} weights of its config: {missing[0]}", hint="save or download it again")
    longest = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", _LONGEST))
    vectors = []
    with torch.inference_mode():
        for text in texts:  # one by one: the same text has the same vector in any company
            tokens = tokenizer(text, truncation=True, max_length=longest, return_tensors="pt")
            vectors.append(torch.nn.functional.normalize(model(**tokens).last_hidden_state.float().mean(1), dim=1)[0].numpy())
    return np.stack(vectors)
