"""A server writes the student's answers with the weights that it has now: the same answers, and no others go in."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from readbench.base.errors import ConfigError, SurroundingError
from readbench.models.folder import resolve_model
from readbench.models.ranks import ALONE
from readbench.models.writing.sampling import Sampling
from readbench.students.objectives.sft import sft
from readbench.students.schedule import LoraConfig, TrainingConfig
from readbench.students.student import Student
from readbench.teachers.endpoint.faults import EndpointError, EndpointRefusalError
from readbench.trials.environments.rollouts.served import ServedSampler
from readbench.trials.environments.rollouts.settings import SamplerConfig
from support.commands import Done, command
from support.sampler import Answer, SamplerStub

STUDENT = resolve_model("lab/student")
PROMPTS = ["2+3=", "sort: cab", "2+3="]
DRAWING = Sampling(temperature=0.7, top_p=0.9)
LORA = TrainingConfig(learning_rate=0.05, warmup_share=0.0, lora=LoraConfig(rank=2))
WHOLE = TrainingConfig(learning_rate=0.01, warmup_share=0.0)


@pytest.fixture
def stub() -> Iterator[SamplerStub]:
    made = SamplerStub(STUDENT)
    yield made
    made.close()


@pytest.fixture(params=[WHOLE, LORA], ids=["whole", "adapter"])
def student(request: pytest.FixtureRequest) -> Student:
    return made(request.param)


def made(training: TrainingConfig) -> Student:
    return Student.load(STUDENT, training=training, objective=sft(), device="cpu")


def train(student: Student) -> None:
    student.train([student.model.encode("2+3=", "a text of its own")] * 4, progress=(0.3, 0.4), seed=0)


@pytest.fixture
def served(stub: SamplerStub, tmp_path: Path) -> Callable[..., ServedSampler]:
    def make(student: Student, **settings: Any) -> ServedSampler:
        config = {"url": stub.url, "folder": str(tmp_path / "seen" / "there"), "tolerance": 1e-3, "attempts": 2}
        return ServedSampler(student.model, SamplerConfig(**config | settings), steps_done=student.steps_done, ranks=ALONE)

    return make


def drawn(by: Any, student: Student, *seeds: int) -> Any:
    return by.sample(student.model.render(PROMPTS), seeds or (1, 2, 3), sampling=DRAWING, max_new_tokens=8)


def test_answers_are_those_of_the_student_after_each_step(
    stub: SamplerStub, served: Callable[..., ServedSampler], student: Student
) -> None:
    sampler = served(student)
    for _ in range(3):
        assert drawn(sampler, student) == drawn(student.model, student)
        assert drawn(sampler, student, 4, 5, 2**63 - 1) == drawn(student.model, student, 4, 5, 2**63 - 1)
        train(student)
    paths = stub.paths()
    handed_over = "/v1/load_lora_adapter" if student.training.lora.rank else "/collective_rpc"
    assert paths.count(handed_over) == 3, "once after each change of the weights"
    assert paths.count("/reset_prefix_cache") == (0 if student.training.lora.rank else 3)
    (gap,) = sampler.figures().values()
    assert gap[1] > 0
    assert gap[0] / gap[1] < 1e-4


def test_training_goes_on_as_without_a_server(served: Callable[..., ServedSampler], student: Student) -> None:
    other = made(student.training)
    for _ in range(2):
        drawn(served(student), student)
        train(student)
        train(other)
    one, two = student.state(), other.state()
    assert all((one[name] == two[name]).all() for name in two)


def test_a_server_that_keeps_its_weights_is_refused(stub: SamplerStub, served: Callable[..., ServedSampler]) -> None:
    student = made(WHOLE)
    sampler = served(student)
    drawn(sampler, student)
    train(student)
    stub.forgetful = True
    with pytest.raises(SurroundingError, match=r"holds other weights than the student: .* differ by .* nats a token"):
        drawn(sampler, student)


def test_what_else_is_in_the_folder_stays(served: Callable[..., ServedSampler], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    student = made(WHOLE)
    drawn(served(student, folder=str(tmp_path)), student)
    assert {path.name for path in tmp_path.iterdir()} == {"mine.txt", "readbench-weights"}


def test_a_folder_that_cannot_be_written_is_one_line(stub: SamplerStub, served: Callable[..., ServedSampler], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    student = made(LORA)
    with pytest.raises(SurroundingError, match=r"cannot write .*file"):
        drawn(served(student, folder=str(tmp_path / "file")), student)
    assert not stub.requests


def test_the_key_is_sent(stub: SamplerStub, served: Callable[..., ServedSampler], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "abc")
    student = made(WHOLE)
    drawn(served(student, key_env="MY_KEY"), student)
    assert stub.keys == {"Bearer abc"}


def with_choice(**changes: Any) -> Callable[[str, Any, Answer], Answer]:
    """Spoils each answer: a value, or a function of the right one."""

    def spoil(path: str, body: Any, answer: Answer) -> Answer:
        if path == "/v1/completions":
            (choice,) = answer[1]["choices"]
            for name, change in changes.items():
                choice[name] = change(choice[name]) if callable(change) else change
        return answer

    return spoil


def letters(count: int) -> dict[str, Any]:
    return {"token_ids": [65] * count, "logprobs": {"token_logprobs": [-1.0] * count}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"token_ids": None}, "its answer is not as vLLM gives it (TypeError"),
        ({"token_ids": lambda ids: [float(each) for each in ids]}, "token ids are whole numbers below 258"),
        ({"token_ids": [65, 258]}, "token ids are whole numbers below 258"),
        ({"token_ids": [-1]}, "token ids are whole numbers below 258"),
        ({"logprobs": {"token_logprobs": ["-1"]}}, "log-probabilities are numbers"),
        ({"logprobs": {"token_logprobs": [-(10**400)]}}, "(OverflowError"),
        ({"token_ids": []}, "it gives 0 tokens"),
        ({"token_ids": lambda ids: [*ids, 1]}, "log-probabilities, of at most 8"),
        ({"prompt_token_ids": lambda ids: ids[1:]}, "it read another prompt"),
        ({"logprobs": lambda found: {"token_logprobs": [-9999.0] * len(found["token_logprobs"])}}, "a log-probability that is none"),
        ({"logprobs": lambda found: {"token_logprobs": [0.5] * len(found["token_logprobs"])}}, "a log-probability that is none"),
        ({"logprobs": None}, "its answer is not as vLLM gives it (TypeError"),
        ({"finish_reason": "stop", **letters(8)}, "ends with token 65 and the reason 'stop'"),
        ({"finish_reason": "length", **letters(3)}, "after 3 of 8 tokens: its context is full"),
        ({"finish_reason": "abort", "token_ids": None, "logprobs": None}, "it gave the answer up"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_whole_is_no_answer(
    changes: dict[str, Any], said: str, stub: SamplerStub, served: Callable[..., ServedSampler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readbench.trials.environments.rollouts.served._BACKOFF_SECONDS", 0.01)
    stub.spoil = with_choice(**changes)
    student = made(WHOLE)
    with pytest.raises(EndpointError) as raised:
        drawn(served(student), student)
    assert said in str(raised.value)
    assert str(raised.value).startswith("the sampler at 127.0.0.1:")


def test_a_fault_that_passes_is_asked_again(
    stub: SamplerStub, served: Callable[..., ServedSampler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readbench.trials.environments.rollouts.served._BACKOFF_SECONDS", 0.01)
    asked: set[int] = set()

    def spoil(path: str, body: Any, answer: Answer) -> Answer:
        if path != "/v1/completions" or body["seed"] in asked:
            return answer
        asked.add(body["seed"])
        return 503, {"error": {"message": "loading"}}

    stub.spoil = spoil
    student = made(WHOLE)
    assert drawn(served(student), student) == drawn(student.model, student)
    assert asked == {1, 2, 3}


@pytest.mark.parametrize(
    ("path", "answer", "kind", "hint"),
    [
        ("/collective_rpc", (404, {"detail": "Not Found"}), EndpointRefusalError, "VLLM_SERVER_DEV_MODE=1"),
        ("/collective_rpc", (500, {"error": {"message": "no such folder"}}), EndpointError, "by the same path (sampler.folder)"),
        ("/v1/models", (200, {"data": [{"id": "x", "owned_by": "sglang"}]}), EndpointRefusalError, "check sampler.url"),
        ("/v1/models", (401, {}), EndpointRefusalError, "check sampler.url, and the key"),
    ],
)
def test_a_server_that_will_not_do_is_one_line_that_says_what_helps(
    path: str, answer: Answer, kind: type[Exception], hint: str, stub: SamplerStub, served: Callable[..., ServedSampler]
) -> None:
    stub.spoil = lambda asked, _, right: answer if asked == path else right
    student = made(WHOLE)
    with pytest.raises(kind) as raised:
        drawn(served(student), student)
    assert hint in raised.value.hint  # type: ignore[attr-defined]
    assert stub.paths().count(path) == 1


def test_an_adapter_needs_a_server_that_takes_adapters(stub: SamplerStub, served: Callable[..., ServedSampler]) -> None:
    stub.spoil = lambda path, _, right: (404, {"detail": "Not Found"}) if path == "/v1/load_lora_adapter" else right
    student = made(LORA)
    with pytest.raises(EndpointRefusalError) as raised:
        drawn(served(student), student)
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, --enable-lora" in raised.value.hint


def test_an_answer_that_might_not_fit_is_refused_before_anything_is_asked(stub: SamplerStub, served: Callable[..., ServedSampler]) -> None:
    student = made(WHOLE)
    with pytest.raises(ConfigError, match="do not fit the student's context of 256"):
        served(student).sample([(65,) * 250], (1,), sampling=DRAWING, max_new_tokens=8)
    assert not stub.requests


# --- runs ---


def run(folder: Path, name: str, *flags: object) -> Done:
    grid = ["--suite", "multilingual", "--allocators", "uniform", "--seeds", "1", "--budget", "6000", "--intervals", "2"]
    sets = [f"--set={each}" for each in ("executor=inline", "num_probes=9", "num_dev=9", "max_new_tokens=16")]
    return command("run", *grid, "--objective", "rlad", *sets, "--out", name, *flags, folder=folder)


def served_by(url: str) -> list[str]:
    return ["--set=params.objective.rlad.sampler=vllm", f"--set=sampler.url={url}"]


def test_a_run_learns_what_it_learns_without_a_server(stub: SamplerStub, tmp_path: Path) -> None:
    for name, flags in (("served", served_by(stub.url)), ("own", [])):
        done = run(tmp_path, name, *flags)
        assert done.returncode == 0, done.stderr
    (served,), (own,) = (json.loads((tmp_path / name / "results.json").read_text())["trials"] for name in ("served", "own"))
    assert served["metrics"] == own["metrics"]
    assert served["id"] != own["id"], "its random numbers are the server's"
    for one, two in zip(served["intervals"], own["intervals"], strict=True):
        assert 0.0 <= one["figures"].pop("sampler_gap") < 1e-3
        assert one == two
    assert not (tmp_path / "served" / "sampler").exists(), "the last weights are the trial's own"


def test_a_server_that_dies_stops_the_run_and_a_resume_goes_on(stub: SamplerStub, tmp_path: Path) -> None:
    def spoil(path: str, _: Any, answer: Answer) -> Answer:
        return (500, {}) if path == "/v1/completions" and stub.paths().count("/collective_rpc") > 2 else answer

    stub.spoil = spoil
    done = run(tmp_path, "run", *served_by(stub.url), "--set=sampler.attempts=1")
    assert done.returncode == 5, done.stderr
    assert "the sampler at 127.0.0.1" in done.stderr
    stub.spoil = lambda _, __, answer: answer
    resumed = command("resume", "run", folder=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    whole = run(tmp_path, "whole", *served_by(stub.url))
    assert whole.returncode == 0, whole.stderr
    one, two = (json.loads((tmp_path / name / "results.json").read_text())["trials"][0] for name in ("run", "whole"))
    assert one["intervals"] == two["intervals"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--set=params.objective.rlad.sampler=vllm"], "has its rollouts from a vLLM server, and none is named"),
        (["--set=params.objective.rlad.sampler=other"], "sampler must be local or vllm, got 'other'"),
        ([*served_by("http://127.0.0.1:9/v1"), "--set=executor=pool"], "a vLLM server writes for one student at a time"),
        (served_by("http://example.com/v1"), "would show key and prompts to everybody"),
        (served_by("ftp://x"), "the sampler's URL is 'ftp://x'"),
        ([*served_by("http://127.0.0.1:9/v1"), "--set=sampler.key_env=sk-123"], "sampler.key_env must be the name of"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused_at_once(flags: list[str], said: str, tmp_path: Path) -> None:
    done = run(tmp_path, "run", *flags)
    assert done.returncode == 2
    assert said in done.stderr
    assert "sk-123" not in done.stderr


def test_a_server_that_nobody_asks_is_said(tmp_path: Path) -> None:
    done = run(tmp_path, "run", "--set=sampler.url=http://127.0.0.1:9/v1", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "sampler.url is not used" in done.stdout + done.stderr
