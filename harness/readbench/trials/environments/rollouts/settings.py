"""Where a server that writes the student's answers is found, and how it is asked. Light: the config imports it."""

from typing import Annotated

from annotated_types import Ge, Gt, Le
from pydantic.dataclasses import dataclass

from readbench.base.documents import STRICT
from readbench.base.errors import ConfigError
from readbench.teachers.endpoint.servers.address import parse_address


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SamplerConfig:
    """A vLLM server of the student, for objectives whose parameter `sampler` is vllm."""

    url: str = ""  # its address, up to and with /v1
    folder: str = ""  # where the weights are put for it, by a path that it sees too; RUN/sampler if empty
    key_env: str = "SAMPLER_API_KEY"  # the environment variable that holds its key; where it is not set no key is sent
    concurrency: Annotated[int, Ge(1), Le(1024)] = 64  # requests at once
    deadline_seconds: Annotated[float, Gt(0), Le(3600)] = 600.0  # of one request, the taking over of weights too
    attempts: Annotated[int, Ge(1), Le(20)] = 3  # of one request
    tolerance: Annotated[float, Gt(0), Le(10)] = 0.1  # nats a token, on average, between its log-probabilities and the student's own

    def __post_init__(self) -> None:
        if self.url:
            parse_address(self.url, "completions", called="the sampler's URL")
        if not self.key_env.isidentifier() or self.key_env.startswith("READBENCH_"):
            raise ConfigError(  # its text is not shown: it may be a key
                "sampler.key_env must be the name of an environment variable that does not begin with READBENCH_",
                hint="put the key into that variable",
            )


NO_SAMPLER = SamplerConfig()
