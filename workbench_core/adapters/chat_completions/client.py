"""HTTP to an OpenAI-compatible endpoint, on aiohttp alone: a tenth of the time that the vendor's client takes."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench_core.adapters.chat_completions.endpoint import ChatEndpoint
from workbench_core.errors import WorkbenchError

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

CONNECT_TIMEOUT_SECONDS = 10.0
LIST_TIMEOUT_SECONDS = 3.0
DNS_KEPT_SECONDS = 300
OK = 200
MOST_BYTES = 16_000_000  # of one answer


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back over HTTP. `headers` ignore case; `content` is the body as JSON, None when it is none.

    `secrets` are what the request was signed with.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    content: object = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", errors="replace")


class Unreachable(Exception):
    """Nobody answers at the address, or the connection was lost."""


class TooSlow(Exception):
    """The answer took longer than the endpoint's timeout."""


class TooLarge(Exception):
    """The answer has more than `MOST_BYTES`."""


class ChatClient:
    """One session with an endpoint, for one event loop."""

    def __init__(self, endpoint: ChatEndpoint, session: ClientSession) -> None:
        self._endpoint = endpoint
        self._session = session
        self._address = endpoint.address_of("/chat/completions")
        self._signed = None if endpoint.headers else endpoint.sign_in()
        self._secrets = endpoint.secrets(self._signed or {})

    async def ask(self, body: bytes) -> Reply:
        """Send one question. Raises Unreachable, TooSlow, TooLarge, and WorkbenchError when signing in fails."""
        return await self._send("POST", self._address, body)

    async def models(self) -> Reply:
        """Ask for the models that the endpoint serves. Raises as `ask`."""
        return await self._send("GET", self._endpoint.address_of("/models"), None)

    async def _send(self, method: str, address: str, body: bytes | None) -> Reply:
        import aiohttp

        signed, secrets = self._signed, self._secrets
        if signed is None:
            signed = await asyncio.to_thread(self._endpoint.sign_in)  # it may fetch a token
            secrets = self._endpoint.secrets(signed)
        headers = {"Content-Type": "application/json", "Accept": "application/json", **signed}
        failure: type[Exception]
        try:
            async with self._session.request(
                method, address, data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await _content(response)
                return Reply(response.status, response.headers, content, _as_json(content), secrets)
        except aiohttp.ConnectionTimeoutError:
            failure = Unreachable
        except TimeoutError:
            failure = TooSlow
        except (aiohttp.ClientError, OSError):
            failure = Unreachable
        raise failure  # outside of the handler: the original holds the headers of the request


@asynccontextmanager
async def open_client(endpoint: ChatEndpoint, *, timeout_seconds: float | None = None) -> AsyncIterator[ChatClient]:
    """A session with as many connections as the endpoint may have."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=timeout_seconds or endpoint.timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS)
    connector = aiohttp.TCPConnector(limit=endpoint.concurrency, ttl_dns_cache=DNS_KEPT_SECONDS, ssl=_certificates())
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        trust_env=not endpoint.is_loopback(),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield ChatClient(endpoint, session)


def served_models(endpoint: ChatEndpoint) -> list[str]:
    """The models that the endpoint lists, empty when it answers but lists none.

    Raises Unavailable when it cannot be reached within three seconds, NotAuthorized for a refused key.
    """
    with ThreadPoolExecutor(1) as thread:  # the caller may be inside an event loop
        found = thread.submit(lambda: asyncio.run(_listing(endpoint))).result()
    if isinstance(found, WorkbenchError):
        raise found
    if found is None:
        raise endpoint.unavailable(endpoint.unreachable())
    if found.status in (401, 403):
        raise endpoint.refused_key()
    models = found.content.get("data") if isinstance(found.content, dict) else None
    if found.status != 200 or not isinstance(models, list):
        return []  # it answers, but not with a list of models
    return [model["id"] for model in models if isinstance(model, dict) and isinstance(model.get("id"), str)]


async def _listing(endpoint: ChatEndpoint) -> Reply | WorkbenchError | None:
    try:
        async with open_client(endpoint, timeout_seconds=LIST_TIMEOUT_SECONDS) as client:
            return await client.models()
    except (Unreachable, TooSlow, TooLarge):
        return None
    except WorkbenchError as error:
        return error


async def _content(response: ClientResponse) -> bytes:
    """The whole body, the beginning of an error's. Raises TooLarge before an answer fills the memory."""
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MOST_BYTES:
            if response.status == OK:
                raise TooLarge
            break
    return bytes(body)


def _as_json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _certificates() -> ssl.SSLContext | bool:
    """The machine's certificates; those of certifi where the machine has none, as in small containers."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        return True
    import certifi

    return ssl.create_default_context(cafile=certifi.where())
