"""An inference server of our own for each protocol, made from their documents, with faults to plant.

It renders with transformers alone. ``change`` is given what it would render, and returns what it renders instead;
``changed_ids`` is given the ids that it would feed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROTOCOLS = ("vllm", "vllm-render", "sglang", "llama.cpp", "any")


class Server:
    """Answers as a server of one kind does."""

    def __init__(self, tokenizer: Any, kind: str = "vllm") -> None:
        self.tokenizer, self.kind = tokenizer, kind
        self.change: Callable[[dict[str, Any]], dict[str, Any]] = lambda asked: asked
        self.changed_ids: Callable[[list[int]], list[int]] = lambda ids: ids
        self.models = ["served"]
        self.failures: list[int] = []  # answers of status codes before it works
        self.requests: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.busy = self.most = 0
        self.lock = threading.Lock()
        self.url = ""

    def text(self, body: dict[str, Any]) -> str:
        """Render a request as a server does: arguments are read as JSON first."""
        messages = []
        for message in body["messages"]:
            own = dict(message)
            if own.get("tool_calls"):
                own["tool_calls"] = [
                    {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
                    for call in own["tool_calls"]
                ]
            messages.append(own)
        variables = dict(body.get("chat_template_kwargs") or {})
        asked = self.change(
            {"messages": messages, "tools": body.get("tools"), "add_generation_prompt": True, **variables}
        )
        return self.tokenizer.apply_chat_template(asked.pop("messages"), tokenize=False, **asked)

    def encode(self, text: str) -> list[int]:
        """Encode text as the server does."""
        return self.changed_ids(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def answer(self, path: str, body: dict[str, Any]) -> Any:
        """Return what is answered, None for an address that is not there."""
        match self.kind, path:
            case "vllm" | "sglang", "/tokenize":
                if "messages" not in body:
                    return None
                ids = self.encode(self.text(body))
                return {"count": len(ids), "max_model_len": 4096, "tokens": ids}
            case "vllm-render", "/v1/chat/completions/render":
                return [body["messages"], [{"prompt_token_ids": self.encode(self.text(body))}]]
            case "llama.cpp", "/apply-template":
                return {"prompt": self.text(body)}
            case "llama.cpp", "/tokenize":
                return {"tokens": self.encode(body["content"]) if "content" in body else []}
            case "any", "/v1/chat/completions":
                assert body["max_tokens"] == 1
                choice = {"message": {"role": "assistant", "content": "x"}, "token_ids": [7]}
                return {"choices": [choice], "prompt_token_ids": self.encode(self.text(body))}
            case "vllm", "/v1/completions":
                told = [{str(token): {"logprob": -float(at % 5)}} for at, token in enumerate(body["prompt"])]
                return {"choices": [{"prompt_logprobs": [None, *told[1:]]}]}
            case "sglang", "/generate":
                told = [[-2.0, token, None] for token in body["input_ids"]]
                told[0][0] = None
                return {"meta_info": {"input_token_logprobs": told}}
        return None


@contextmanager
def running(server: Server):
    """Let a server run, and yield it with its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = {"data": [{"id": name} for name in server.models]} if self.path == "/v1/models" else None
            self.say(200 if found else 404, found or {"error": "not found"})

        def do_POST(self) -> None:
            with server.lock:
                server.busy += 1
                server.most = max(server.most, server.busy)
            try:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.requests.append((self.path, body, dict(self.headers)))
                if server.failures:
                    self.say(server.failures.pop(0), {"error": "busy"})
                    return
                found = server.answer(self.path, body)
                self.say(404 if found is None else 200, {"error": "not found"} if found is None else found)
            finally:
                with server.lock:
                    server.busy -= 1

        def say(self, status: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            if status in {301, 302, 307}:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{listening.server_port}"
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
