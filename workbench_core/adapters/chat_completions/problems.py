"""What went wrong with one request, as a sentence for the person, and what may be done about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from workbench_core.adapters.chat_completions.client import Reply
from workbench_core.adapters.chat_completions.endpoint import ChatEndpoint, one_line
from workbench_core.errors import WorkbenchError

RETRIED_STATUS_CODES = (408, 409, 425, 429)  # and all from 500
FIELD_REFUSED_STATUS_CODES = (400, 422)


@dataclass(frozen=True, slots=True)
class Problem:
    """One failed try. `end` is the error that ends the whole batch; `refused` what the endpoint says of our request."""

    sentence: str
    may_retry: bool = False
    is_unreachable: bool = False
    is_rate_limit: bool = False
    wait_seconds: float | None = None  # what the server asked for
    refused: str = ""
    end: WorkbenchError | None = None


def problem_of(reply: Reply, endpoint: ChatEndpoint) -> Problem | None:
    """What a reply other than an answer means; None for an answer."""
    status, error = reply.status, _error_of(reply)
    if status == 200:
        if error is None:
            return None
        code = error.get("code")  # gateways that pass on the failure of another server under HTTP 200
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
    detail = one_line(_detail(error, reply), reply.secrets)
    if status in (401, 403):
        return Problem("", end=endpoint.refused_key())
    if status == 404:
        return Problem("", end=endpoint.unavailable(f"The model endpoint does not know this model: {detail}"))
    if 300 <= status < 400:
        place = one_line(reply.headers.get("location", "another address").partition("?")[0], reply.secrets)
        return Problem("", end=endpoint.unavailable(f"The model endpoint has moved to {place}."))
    if _has_code(error, "insufficient_quota"):
        return Problem("", end=endpoint.unavailable("The quota of the model endpoint is used up."))
    return _failure(status, detail, error, reply)


def _failure(status: int, detail: str, error: Mapping[str, object] | None, reply: Reply) -> Problem:
    wait = _retry_after(reply.headers)
    if status == 429:
        asks = f"; it asks to wait {_in_words(wait)}" if wait else ""
        return Problem(
            f"The model endpoint is at its rate limit{asks}.", may_retry=True, is_rate_limit=True, wait_seconds=wait
        )
    if status in RETRIED_STATUS_CODES or status >= 500:
        sentence = f"The model endpoint failed with HTTP {status}: {detail}"
        return Problem(sentence, may_retry=True, wait_seconds=wait)
    sentence = _too_long(error) or f"The model endpoint refused the request: {detail}"
    return Problem(sentence, refused=_detail(error, reply) if status in FIELD_REFUSED_STATUS_CODES else "")


def _error_of(reply: Reply) -> dict[str, object] | None:
    """The error object of a body; None where there is none."""
    body = reply.content
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    if isinstance(error, dict):
        return error
    if isinstance(error, str):
        return {"message": error}
    return body if reply.status != 200 else None


def _detail(error: Mapping[str, object] | None, reply: Reply) -> str:
    """What the server says: the message and what it is about, else the whole body."""
    message = (error or {}).get("message")
    if not isinstance(message, str) or not message:
        return reply.text() or "no reason is given"
    return message


def _has_code(error: Mapping[str, object] | None, code: str) -> bool:
    return error is not None and code in (error.get("code"), error.get("type"))


def _too_long(error: Mapping[str, object] | None) -> str:
    """The sentence for a prompt beyond the context (llama.cpp gives its size); empty for other errors."""
    if not error or error.get("type") != "exceed_context_size_error":
        return ""
    tokens, most = error.get("n_prompt_tokens"), error.get("n_ctx")
    if not isinstance(tokens, int) or not isinstance(most, int):
        return "The prompt is longer than this model reads."
    return f"The prompt has {tokens:,} tokens; this model reads at most {most:,}."


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait from a Retry-After header: a number or a date (RFC 9110, 10.2.3); or retry-after-ms."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        return max(0.0, (parsedate_to_datetime(headers.get("retry-after", "")) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _in_words(seconds: float) -> str:
    """A time as people say it: “12 s”, “90 min”, “30 h”, “365 days”."""
    for unit, length, most in (("s", 1, 600), ("min", 60, 7_200), ("h", 3_600, 172_800)):
        if seconds <= most:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds / 86_400:,.0f} days"
