"""Cost of a language model call on our side: the workbench beside the bare OpenAI client and litellm.

    python benchmarks/chat_calls.py
    python -m venv rivals && rivals/bin/pip install "openai[aiohttp]" -r requirements-benchmarks.txt
    python benchmarks/chat_calls.py --rivals-python rivals/bin/python

A server in a process of its own answers at once, so what is left is the client: building the request, HTTP, reading the
answer, handing it over. Every client asks the same questions, 64 at a time: the workbench through its ChatModel, the
OpenAI client as it comes (AsyncOpenAI with its default HTTP client, a semaphore), litellm by `acompletion` with a
semaphore and without fetching its price list. Each runs once to warm up; the result is the quickest of the runs after
that, since other work on the machine only ever adds time. The CPU time of the client's process stands beside.

Then 5 % of the requests fail by lot: a third with HTTP 429, a third with HTTP 500, a third get no answer until the
client gives up after a second. Every question must be answered, and the server must have answered each exactly once.
The last line is the result as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

CONCURRENCY = 64
FAULTS = 0.05
FAULT_TIMEOUT_SECONDS = 1.0
MAX_TOKENS = 16
RIVALS = ("openai", "litellm")


# --- the server ------------------------------------------------------------------------------------------------------


class Server(asyncio.Protocol):
    """Just enough HTTP to answer chat completions quickly; `/faults` fails by lot, `/counts` says what was answered."""

    answered: ClassVar[Counter[str]] = Counter()
    faults: ClassVar[Counter[str]] = Counter()
    lot: ClassVar[random.Random] = random.Random(42)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode("latin-1")
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            rest = end + 4 + int(fields.get("content-length", 0))
            if len(self.buffer) < rest:
                return
            body, self.buffer = self.buffer[end + 4 : rest], self.buffer[rest:]
            self.answer(head.split(" ", 2)[1], body)

    def answer(self, path: str, body: bytes) -> None:
        """Send the counts, an answer, or a failure."""
        if path == "/counts":
            self.send(200, {"answered": dict(self.answered), "faults": dict(self.faults)})
            self.answered.clear()
            self.faults.clear()
            return
        question = json.loads(body)["messages"][-1]["content"]
        fault = self.lot.choice(["429", "500", "silence"]) if "faults" in path and self.lot.random() < FAULTS else ""
        if fault:
            self.faults[fault] += 1
            if fault != "silence":
                self.send(int(fault), {"error": {"message": "by lot", "type": "fault"}})
            return
        self.answered[question] += 1
        message = {"role": "assistant", "content": f"Answer to {question}"}
        self.send(
            200,
            {
                "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "stub",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
            },
        )  # fmt: skip

    def send(self, status: int, content: object) -> None:
        """Write one response."""
        payload = json.dumps(content).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        self.transport.write(head.encode() + payload)


async def serve() -> None:
    """Serve on a free port, which is the first line printed, until standard input closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def running_server() -> Iterator[str]:
    """The server in a process of its own; its address."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def counts(address: str) -> tuple[Counter[str], Counter[str]]:
    """How often each question was answered and what failed since the last look."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{address}/counts") as response:
        found = json.load(response)
    return Counter(found["answered"]), Counter(found["faults"])


# --- the clients -----------------------------------------------------------------------------------------------------


def ask_workbench(url: str, calls: int, *, timeout_seconds: float = 60.0) -> None:
    """All questions through the ChatModel of the workbench; fails unless each is answered once."""
    from workbench_core.adapters.chat_completions import ChatCompletionsModel, ChatEndpoint
    from workbench_core.ports import ChatOptions, Conversation, Message

    endpoint = ChatEndpoint(url, model="stub", concurrency=CONCURRENCY, timeout_seconds=timeout_seconds)
    conversations = [Conversation(str(n), (Message("user", f"Question {n}"),)) for n in range(calls)]
    answers = list(ChatCompletionsModel(endpoint).answer(conversations, options=ChatOptions(max_tokens=MAX_TOKENS)))
    texts = {answer.id: answer.text for answer in answers}
    assert len(answers) == calls and all(texts[str(n)] == f"Answer to Question {n}" for n in range(calls)), [
        answer.error for answer in answers if answer.error
    ][:3]


def ask_openai(url: str, calls: int) -> None:
    """The OpenAI client as it comes."""
    from openai import AsyncOpenAI

    async def run() -> None:
        async with AsyncOpenAI(base_url=url, api_key="none") as client:

            async def ask(question: str) -> str | None:
                messages: Any = [{"role": "user", "content": question}]
                found = await client.chat.completions.create(
                    model="stub", messages=messages, temperature=0.0, max_tokens=MAX_TOKENS, seed=42
                )
                return found.choices[0].message.content

            await _ask_all(ask, calls)

    asyncio.run(run())


def ask_litellm(url: str, calls: int) -> None:
    """litellm's own loop over an OpenAI-compatible address."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # before the import, which fetches the list otherwise
    import litellm

    async def ask(question: str) -> str:
        messages = [{"role": "user", "content": question}]
        found = await litellm.acompletion(
            model="openai/stub", api_base=url, api_key="none", messages=messages, temperature=0.0,
            max_tokens=MAX_TOKENS, seed=42,
        )  # fmt: skip
        return str(found.choices[0].message.content)

    asyncio.run(_ask_all(ask, calls))


async def _ask_all(ask: Callable[[str], Awaitable[str | None]], calls: int) -> None:
    gate = asyncio.Semaphore(CONCURRENCY)

    async def one(number: int) -> None:
        async with gate:
            assert await ask(f"Question {number}") == f"Answer to Question {number}"

    await asyncio.gather(*(one(number) for number in range(calls)))


CLIENTS: dict[str, Callable[[str, int], None]] = {"openai": ask_openai, "litellm": ask_litellm, "ours": ask_workbench}


# --- measuring -------------------------------------------------------------------------------------------------------


def measured(client: str, url: str, calls: int, repeats: int) -> tuple[float, float]:
    """Milliseconds per call, by the clock and of CPU, of the quickest run after the first."""
    ask = CLIENTS[client]
    ask(url, max(1, calls // 10))
    times = []
    for _ in range(repeats):
        clock, cpu = time.perf_counter(), time.process_time()
        ask(url, calls)
        times.append((time.perf_counter() - clock, time.process_time() - cpu))
    best = min(times)
    return best[0] / calls * 1000, best[1] / calls * 1000


def rival(name: str, python: str, url: str, calls: int, repeats: int) -> tuple[float, float] | None:
    """A rival measured by another interpreter; None when it is not installed there."""
    here = python == sys.executable and importlib.util.find_spec(name) is None
    probe = [python, "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec({name!r}) is None)"]
    if here or subprocess.run(probe, check=False).returncode:
        return None
    wanted = ["--measure", name, "--url", url, "--calls", str(calls), "--repeats", str(repeats)]
    found = subprocess.run([python, __file__, *wanted], stdout=subprocess.PIPE, text=True, check=True)
    clock, cpu = json.loads(found.stdout.strip().splitlines()[-1])
    return clock, cpu


def with_faults(address: str, calls: int) -> tuple[float, int]:
    """Seconds for all questions with failures by lot, and how many were answered exactly once."""
    counts(address)
    started = time.perf_counter()
    ask_workbench(f"{address}/faults/v1", calls, timeout_seconds=FAULT_TIMEOUT_SECONDS)
    seconds = time.perf_counter() - started
    answered, faults = counts(address)
    print(f"{'with faults':12}{seconds:>8.2f} s    {dict(faults)}", flush=True)
    return seconds, sum(answered[f"Question {number}"] == 1 for number in range(calls))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rivals-python", default=sys.executable, help="the interpreter that has the rivals")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--measure", choices=RIVALS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.serve:
        asyncio.run(serve())
        return
    if chosen.measure:
        print(json.dumps(measured(chosen.measure, chosen.url, chosen.calls, chosen.repeats)))
        return
    result: dict[str, float | int | None] = {"calls": chosen.calls}
    print(f"{chosen.calls:,} calls, {CONCURRENCY} at a time, milliseconds per call")
    print(f"{'':12}{'clock':>10}{'CPU':>10}")
    with running_server() as address:
        url = f"{address}/v1"
        found: dict[str, tuple[float, float] | None] = {"ours": measured("ours", url, chosen.calls, chosen.repeats)}
        for name in RIVALS:
            found[name] = rival(name, chosen.rivals_python, url, min(chosen.calls, 3000), chosen.repeats)
        for name, times in found.items():
            shown = f"{times[0]:>10.3f}{times[1]:>10.3f}" if times else "  not installed"
            print(f"{'workbench' if name == 'ours' else name:12}{shown}", flush=True)
        result["seconds_10k_with_faults"], result["answered_once"] = with_faults(address, chosen.calls)
    for name, times in found.items():
        result["overhead_ms_per_call" if name == "ours" else f"{name}_ms_per_call"] = times and times[0]
        result["cpu_ms_per_call" if name == "ours" else f"{name}_cpu_ms_per_call"] = times and times[1]
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in result.items()}
    print(json.dumps(rounded))


if __name__ == "__main__":
    main()
