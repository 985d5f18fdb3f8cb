"""A server on loopback that writes a student's answers as vLLM does, with readbench's own model behind it."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from readbench.models.batches import Encoded
from readbench.models.language_model import LanguageModel
from readbench.models.writing.sampling import Sampling

Answer = tuple[int, Any]  # status and body


class SamplerStub:
    """Serves the model in a folder as `NAME`; `spoil` may change what it answers to a request, by path and body."""

    NAME = "student"

    def __init__(self, folder: Path) -> None:
        self.models = {self.NAME: LanguageModel.load(folder, device="cpu")}
        self.requests: list[tuple[str, Any]] = []
        self.keys: set[str | None] = set()
        self.forgetful = False  # takes no weights over, and does not say so
        self.spoil: Callable[[str, Any, Answer], Answer] = lambda _, __, answer: answer
        self._lock = threading.Lock()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _answer(self, body: Any) -> None:
                with stub._lock:
                    stub.requests.append((self.path, body))
                    stub.keys.add(self.headers["Authorization"])
                    status, answer = stub.spoil(self.path, body, stub._answer(self.path, body))
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                with suppress(ConnectionError):  # a client that hangs up
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 128  # connections that wait

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def paths(self) -> list[str]:
        """What was asked, by path."""
        return [path for path, _ in self.requests]

    def _answer(self, path: str, body: Any) -> Answer:
        if path == "/v1/models":
            listed = [{"id": name, "owned_by": "vllm", "parent": None if name == self.NAME else self.NAME} for name in self.models]
            return 200, {"object": "list", "data": listed}
        if path == "/collective_rpc":
            return self._load(self.NAME, Path(body["kwargs"]["weights_path"]), failure=500)
        if path == "/v1/load_lora_adapter":
            return self._load(body["lora_name"], Path(body["lora_path"]), failure=404)
        if path == "/reset_prefix_cache":
            return 200, {"success": True}
        return 200, self._drawn(body)

    def _load(self, name: str, folder: Path, *, failure: int) -> Answer:
        if not folder.is_dir():
            return failure, {"error": {"message": f"no weights in {folder}"}}
        if not self.forgetful:
            self.models[name] = LanguageModel.load(folder, device="cpu")
        return 200, {"results": [None]}

    def _drawn(self, body: Any) -> Any:
        model, prompt = self.models[body["model"]], tuple(body["prompt"])
        sampling = Sampling(temperature=body["temperature"], top_p=body["top_p"])
        (written,) = model.sample([prompt], [body["seed"]], sampling=sampling, max_new_tokens=body["max_tokens"])
        (logprobs,) = model.label_log_probabilities([Encoded((*prompt, *written.ids), len(prompt))])
        choice = {
            "token_ids": list(written.ids),
            "prompt_token_ids": list(prompt),
            "finish_reason": "stop" if written.finished else "length",
            "logprobs": {"token_logprobs": logprobs.tolist()},
        }
        return {"model": body["model"], "choices": [choice]}

    def close(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
