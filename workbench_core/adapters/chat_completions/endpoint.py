"""Where an OpenAI-compatible model answers, what it serves, and what its errors mean for the person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from workbench_core.errors import NotAuthorized, Unavailable

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

CONNECT_TIMEOUT_SECONDS = 10.0
LIST_TIMEOUT_SECONDS = 3.0
DETAIL_CHARACTERS = 200
LOOPBACK = ("localhost", "127.0.0.1", "::1")
NO_KEY = "none"  # the client insists on a key; servers without keys ignore it
RETRIED_STATUS_CODES = (408, 409, 425, 429)  # and all from 500


@dataclass(frozen=True, slots=True)
class ChatEndpoint:
    """Where an OpenAI-compatible model answers, and how to treat it.

    `base_url` ends before `/chat/completions`. An empty `model` takes the only one that the server lists.
    `key` may be a function, for tokens that expire. `hint` is the next step when the endpoint cannot be used.
    `sends_seed` is for servers that refuse the field. `takes_grammar` is for llama.cpp, which can be held to bare
    choices instead of choices in JSON: several times fewer tokens. `retry_seconds` is the first wait of the backoff.
    """

    base_url: str
    model: str = ""
    key: str | Callable[[], str] = field(default="", repr=False)
    timeout_seconds: float = 120.0
    concurrency: int = 8
    hint: str = "Check the address of the model endpoint, and that it runs."
    sends_seed: bool = True
    takes_grammar: bool = False
    retry_seconds: float = 0.5

    def current_key(self) -> str:
        """The key to send now."""
        return (self.key if isinstance(self.key, str) else self.key()) or NO_KEY

    def is_loopback(self) -> bool:
        """Whether requests stay on this machine; such requests must not go through a configured proxy."""
        return urlsplit(self.base_url).hostname in LOOPBACK

    def unavailable(self, sentence: str) -> Unavailable:
        """The error that ends a whole batch."""
        return Unavailable(sentence, hint=self.hint)


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with one request, as a sentence, and what may be done about it."""

    sentence: str
    may_retry: bool = False
    is_unreachable: bool = False
    is_rate_limit: bool = False
    wait_seconds: float | None = None  # what the server asked for


def open_client(endpoint: ChatEndpoint) -> AsyncOpenAI:
    """A client on aiohttp, which is several times faster than the default one under many requests."""
    import httpx2
    from openai import AsyncOpenAI, DefaultAioHttpClient

    async def key() -> str:
        return await asyncio.to_thread(endpoint.current_key)  # it may fetch a token

    return AsyncOpenAI(
        base_url=endpoint.base_url,
        api_key=endpoint.current_key() if isinstance(endpoint.key, str) else key,
        max_retries=0,  # the batch retries, so that all its workers wait together
        timeout=httpx2.Timeout(endpoint.timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS),
        http_client=DefaultAioHttpClient(trust_env=not endpoint.is_loopback()),
    )


def served_models(endpoint: ChatEndpoint) -> list[str]:
    """The models that the endpoint lists, empty when it answers but lists none.

    Raises Unavailable when it cannot be reached within three seconds, NotAuthorized for a refused key.
    """
    import openai

    http_client = openai.DefaultHttpxClient(trust_env=not endpoint.is_loopback())
    with openai.OpenAI(
        base_url=endpoint.base_url,
        api_key=endpoint.current_key(),
        max_retries=0,
        timeout=LIST_TIMEOUT_SECONDS,
        http_client=http_client,
    ) as client:
        try:
            return [model.id for model in client.models.list()]
        except (openai.AuthenticationError, openai.PermissionDeniedError):
            raise refused_key(endpoint) from None
        except openai.APIConnectionError:
            raise endpoint.unavailable(_unreachable(endpoint)) from None
        except (openai.OpenAIError, ValueError, TypeError, AttributeError):
            return []  # it answers, but not with a list of models


def refused_key(endpoint: ChatEndpoint) -> NotAuthorized:
    """The error for a key that the endpoint does not accept; the key itself is never part of it."""
    return NotAuthorized("The model endpoint refused the key.", hint=endpoint.hint)


def problem_of(error: Exception, endpoint: ChatEndpoint) -> Problem:
    """What an error of one request means.

    Raises NotAuthorized for a refused key, Unavailable for an unknown model, and any error it does not know.
    """
    import openai

    if isinstance(error, openai.APIStatusError):
        return _problem_of_status(error, endpoint)
    if isinstance(error, openai.APITimeoutError) and not _was_connecting(error):
        return Problem(f"The model endpoint took longer than {endpoint.timeout_seconds:g} s.")
    if isinstance(error, openai.APIConnectionError):
        return Problem(_unreachable(endpoint), may_retry=True, is_unreachable=True)
    if isinstance(error, (openai.APIError, ValueError)):  # the client's parsers raise ValueError
        return Problem(f"The model answered with nonsense: {one_line(str(error), endpoint)}")
    raise error


def one_line(text: str, endpoint: ChatEndpoint) -> str:
    """Foreign text for a sentence: on one line, short, and without the key."""
    key = endpoint.key if isinstance(endpoint.key, str) else ""
    line = " ".join((text.replace(key, "•••") if key else text).split())
    return line if len(line) <= DETAIL_CHARACTERS else f"{line[:DETAIL_CHARACTERS]}…"


def _problem_of_status(error: APIStatusError, endpoint: ChatEndpoint) -> Problem:
    status = error.status_code
    detail = one_line(_detail(error), endpoint)
    if status in (401, 403):
        raise refused_key(endpoint)
    if status == 404:
        raise endpoint.unavailable(f"The model endpoint does not know this model: {detail}")
    wait = _retry_after(error.response.headers.get("retry-after", ""))
    if status == 429:
        asks = f"; it asks to wait {wait:g} s" if wait else ""
        return Problem(f"The model endpoint is at its rate limit{asks}.", True, False, True, wait)
    if status in RETRIED_STATUS_CODES or status >= 500:
        sentence = f"The model endpoint failed with HTTP {status}: {detail}"
        return Problem(sentence, may_retry=True, wait_seconds=wait)
    return Problem(_too_long(error) or f"The model endpoint refused the request: {detail}")


def _too_long(error: APIStatusError) -> str:
    """The sentence for a prompt beyond the context (llama.cpp gives its size); empty for other errors."""
    body = error.body
    if isinstance(body, dict) and body.get("type") == "exceed_context_size_error":
        return f"The prompt has {body['n_prompt_tokens']:,} tokens; this model reads at most {body['n_ctx']:,}."
    return ""


def _detail(error: APIStatusError) -> str:
    if isinstance(error.body, dict) and isinstance(error.body.get("message"), str):
        return str(error.body["message"])
    return error.response.text or error.message


def _was_connecting(error: Exception) -> bool:
    import httpx2

    return isinstance(error.__cause__, httpx2.ConnectTimeout)


def _unreachable(endpoint: ChatEndpoint) -> str:
    return f"The model endpoint at {urlsplit(endpoint.base_url).netloc} cannot be reached."


def _retry_after(value: str) -> float | None:
    """Seconds to wait from a Retry-After header: a number or a date (RFC 9110, 10.2.3)."""
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
