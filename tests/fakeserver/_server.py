"""HTTP/1.1 by hand on `asyncio.Protocol`: what makes the fake server quick enough to benchmark against."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

from tests.fakeserver import _answers
from tests.fakeserver._behaviour import Behaviour, Fault

MAX_BODY = 64 * 2**20
_LOGGED = 200_000
_KEPT = 256
_LONG = 200
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "


class State:
    """What all connections of one server share: its behaviour, and what it has seen."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.connections: set[Connection] = set()
        self.opened = 0
        self.number = 0
        self.in_flight = 0
        self.clear()

    def clear(self) -> None:
        """Forget what was counted."""
        self.total = 0
        self.max_in_flight = self.in_flight
        self.prompts: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        self.log: deque[tuple[float, str, int]] = deque(maxlen=_LOGGED)
        self.kept: deque[tuple[str, bytes, bytes]] = deque(maxlen=_KEPT)

    def stats(self) -> dict[str, Any]:
        """Return the counts. Status 0 counts requests that got no answer (dropped, hung, cut off by the client)."""
        return {
            "total": self.total,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "connections": self.opened,
            "prompts": dict(self.prompts),
            "statuses": {str(status): count for status, count in dict(self.statuses).items()},
            "faults": dict(self.faults),
            "cpu_seconds": time.process_time(),
        }

    def requests(self) -> list[dict[str, Any]]:
        """Return the last requests: path with query, headers in lower case, body."""
        return [
            {"path": path, "headers": _headers(head), "body": json.loads(body) if body else None}
            for path, head, body in list(self.kept)
        ]


def _headers(head: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name}


def short(prompt: str) -> str:
    """Return what a prompt is counted under: itself, or, when it is long, its start and a digest."""
    if len(prompt) <= _LONG:
        return prompt
    return f"{prompt[:160]}…{blake2b(prompt.encode('utf-8', 'replace'), digest_size=8).hexdigest()}"


class Connection(asyncio.Protocol):
    """One connection; answers one request after the other."""

    def __init__(self, state: State, loop: asyncio.AbstractEventLoop) -> None:
        self.state = state
        self.loop = loop
        self.buffer = bytearray()
        self.needed = 0
        self.prompt: str | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.state.opened += 1
        self.state.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.state.connections.discard(self)
        if self.timer is not None:
            self.timer.cancel()
        self._finish(0)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) >= self.needed and self.prompt is None:
            self._next()

    def _next(self) -> None:
        """Take one whole request from the buffer, when there is one, and handle it."""
        buffer = self.buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(buffer) > MAX_BODY:
                self.transport.abort()
            return
        head = bytes(buffer[:end])
        lower = head.lower()
        length = 0
        at = lower.find(b"\r\ncontent-length:")
        if at >= 0:
            line = lower[at + 17 : lower.find(b"\r\n", at + 17) if lower.find(b"\r\n", at + 17) > 0 else None]
            length = int(line)
        elif b"\r\ntransfer-encoding:" in lower:
            self._send(411, '{"error": {"message": "send a Content-Length"}}')
            self.transport.close()
            return
        if length > MAX_BODY:
            self._send(413, '{"error": {"message": "too large"}}')
            self.transport.close()
            return
        if len(buffer) < end + 4 + length:
            if not self.needed and b"\r\nexpect: 100-continue" in lower:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.needed = end + 4 + length
            return
        body = bytes(buffer[end + 4 : end + 4 + length])
        del buffer[: end + 4 + length]
        self.needed = 0
        method, target, _ = head[: head.find(b"\r\n") if b"\r\n" in head else None].decode("latin-1").split(" ", 2)
        self._handle(method, target, head, body)

    def _handle(self, method: str, target: str, head: bytes, body: bytes) -> None:
        path = target.partition("?")[0]
        state = self.state
        if path.startswith("/_"):
            self._control(method, path)
            return
        state.total += 1
        state.number += 1
        state.in_flight += 1
        state.max_in_flight = max(state.max_in_flight, state.in_flight)
        state.kept.append((target, head, body))
        self.prompt = ""
        key = _key(head)
        behaviour = state.behaviour
        if behaviour.api_key is not None and key != behaviour.api_key:
            self._reply(401, _error(401, f"Incorrect API key provided: {key}"))
            return
        if method == "GET" and path.endswith("/models"):
            self._reply(200, _answers.MODELS)
            return
        try:
            parsed = json.loads(body)
            self.prompt = _answers.prompt_of(path, parsed)
        except (ValueError, AttributeError, _answers.BadRequestError) as error:
            self._reply(400, _error(400, f"the body is not a request: {error}"))
            return
        known = short(self.prompt)
        attempt = state.prompts[known]
        state.prompts[known] = attempt + 1
        fault = behaviour.fault(self.prompt, attempt)
        delay = behaviour.latency
        if behaviour.jitter:
            delay += behaviour.jitter * behaviour.draw("jitter", self.prompt, attempt)
        if delay > 0:
            self.timer = self.loop.call_later(delay, self._act, path, parsed, key, fault)
        else:
            self._act(path, parsed, key, fault)

    def _act(self, path: str, body: dict[str, Any], key: str, fault: tuple[str, Fault] | None) -> None:
        if fault is not None:
            self._fail(fault[0], fault[1], key)
            return
        state = self.state
        prompt = self.prompt or ""
        try:
            if path.endswith("/chat/completions"):
                answer = _answers.chat(state.behaviour, prompt, body, state.number)
            elif path.endswith("/completions"):
                answer = _answers.completions(state.behaviour, body, state.number)
            elif path.endswith("/embeddings"):
                answer = _answers.embeddings(state.behaviour, body)
            else:
                self._reply(404, _error(404, f"no such path: {path}"))
                return
        except _answers.BadRequestError as error:
            self._reply(400, _error(400, str(error)))
            return
        self._reply(200, answer)

    def _fail(self, name: str, fault: Fault, key: str) -> None:
        self.state.faults[name] += 1
        if fault.mode == "hang":
            return
        if fault.mode == "drop":
            self.transport.abort()
            return
        if fault.mode == "truncate":
            raw = fault.text(key).encode()
            self.transport.write(_head(fault.status, len(raw)) + raw[: len(raw) // 2])
            self._finish(fault.status)
            self.transport.close()
            return
        self._reply(fault.status, fault.text(key), fault.header_lines(), fault.content_type)

    def _control(self, method: str, path: str) -> None:
        state = self.state
        pages = {"/_stats": state.stats, "/_log": lambda: list(state.log), "/_requests": state.requests}
        if path == "/_reset" and method == "POST":
            state.clear()
            self._send(200, "{}")
        elif path in pages:
            self._send(200, json.dumps(pages[path]()))
        else:
            self._send(404, _error(404, f"no such path: {path}"))
        self._resume()

    def _reply(self, status: int, text: str, headers: str = "", content_type: str = "application/json") -> None:
        self._finish(status)
        self._send(status, text, headers, content_type)
        self._resume()

    def _send(self, status: int, text: str, headers: str = "", content_type: str = "application/json") -> None:
        raw = text.encode("utf-8", "replace")
        if status == 200 and not headers and content_type == "application/json":
            self.transport.write(b"%b%d\r\n\r\n%b" % (_OK, len(raw), raw))
        else:
            self.transport.write(_head(status, len(raw), headers, content_type) + raw)

    def _finish(self, status: int) -> None:
        """Count the request in progress, if any, as done."""
        if self.prompt is None:
            return
        state = self.state
        state.in_flight -= 1
        state.statuses[status] += 1
        state.log.append((self.loop.time(), short(self.prompt), status))
        self.prompt = None
        self.timer = None

    def _resume(self) -> None:
        if self.buffer:
            self._next()


def _head(status: int, length: int, headers: str = "", content_type: str = "application/json") -> bytes:
    reason = _REASONS.get(status, "Unknown")
    return (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{headers}\r\n"
    ).encode("latin-1")


def _error(status: int, message: str) -> str:
    return json.dumps({"error": {"message": message, "type": "fake_error", "param": None, "code": status}})


def _key(head: bytes) -> str:
    lower = head.lower()
    for name in (b"\r\nauthorization: bearer ", b"\r\napi-key: "):
        at = lower.find(name)
        if at >= 0:
            return head[at + len(name) :].split(b"\r\n", 1)[0].decode("latin-1").strip()
    return ""


async def listen(state: State, port: int = 0) -> tuple[asyncio.Server, int]:
    """Start to listen on loopback; return the server and its port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(state, loop), "127.0.0.1", port, backlog=4096)
    return server, int(server.sockets[0].getsockname()[1])


async def close(server: asyncio.Server, state: State) -> None:
    """Stop to listen and cut every connection."""
    server.close()
    for connection in list(state.connections):
        connection.transport.abort()
    await server.wait_closed()
    await asyncio.sleep(0)
