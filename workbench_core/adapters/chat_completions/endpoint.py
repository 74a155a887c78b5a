"""Where an OpenAI-compatible model answers, how it is signed in to, and how to treat it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from workbench_core.errors import NotAuthorized, Unavailable
from workbench_core.ports import Availability
from workbench_core.settings import server_of

DETAIL_CHARACTERS = 200
MOST_LOOKED_AT = 10_000  # characters of a foreign text
LOOPBACK = ("localhost", "127.0.0.1", "::1")
SHORTEST_SECRET = 4  # shorter words are no secrets, and would be hidden everywhere


@dataclass(frozen=True, slots=True)
class ChatEndpoint:
    """Where an OpenAI-compatible model answers, and how to treat it.

    `base_url` ends before `/chat/completions`. An empty `model` takes the only one that the server lists.
    `key` is sent as bearer token. `headers` is for sign-ins that expire: it is asked before every request, in a thread,
    and may raise WorkbenchError. `check` says whether the endpoint is ready where it cannot list its models.
    `hint` is the next step when it cannot be used. Rate limits of 0 are none. `structured` is "auto", "json_schema",
    "json_object" or "none". `sends_seed` is for servers that refuse the field. `takes_grammar` is for llama.cpp, which
    can be held to bare choices instead of choices in JSON: several times fewer tokens. `retry_seconds` is the first
    wait of the backoff.
    """

    base_url: str = field(repr=False)  # it may hold a password
    model: str = ""
    key: str = field(default="", repr=False)
    headers: Callable[[], Mapping[str, str]] | None = field(default=None, repr=False)
    check: Callable[[], Availability] | None = field(default=None, repr=False)
    timeout_seconds: float = 120.0
    concurrency: int = 8
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    structured: str = "auto"
    reads_pictures: bool = False
    hint: str = "Check the address of the model endpoint, and that it runs."
    sends_seed: bool = True
    takes_grammar: bool = False
    retry_seconds: float = 0.5

    @property
    def server(self) -> str:
        """Host and port."""
        return server_of(self.base_url)

    @property
    def identity(self) -> str:
        """What tells this model from others that may have its name in the settings; it holds no secret."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{self.server}{parts.path.rstrip('/')} {self.model}"

    def address_of(self, path: str) -> str:
        """The address of `/chat/completions` or `/models`, without user and password, with what follows a `?`."""
        parts = urlsplit(self.base_url)
        return urlunsplit((parts.scheme, self.server, parts.path.rstrip("/") + path, parts.query, ""))

    def sign_in(self) -> dict[str, str]:
        """The headers to send now: those that are fetched, the key, or user and password of the address."""
        if self.headers is not None:
            return dict(self.headers())
        if self.key:
            return {"Authorization": f"Bearer {self.key}"}
        parts = urlsplit(self.base_url)
        if parts.password is None:
            return {}
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password)}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def secrets(self, headers: Mapping[str, str]) -> tuple[str, ...]:
        """What must not be shown of a request with these headers, as JSON and addresses write it too; longest first."""
        password = urlsplit(self.base_url).password or ""
        plain = {self.key, password, unquote(password), *(part for value in headers.values() for part in value.split())}
        found = {form for one in plain if len(one) >= SHORTEST_SECRET for form in _forms(one)}
        return tuple(sorted(found, key=len, reverse=True))

    def is_loopback(self) -> bool:
        """Whether requests stay on this machine; such requests must not go through a configured proxy."""
        return urlsplit(self.base_url).hostname in LOOPBACK

    def unavailable(self, sentence: str) -> Unavailable:
        """The error that ends a whole batch."""
        return Unavailable(sentence, hint=self.hint)

    def unreachable(self) -> str:
        """The sentence for a server that does not answer."""
        return f"The model endpoint at {self.server} cannot be reached."

    def refused_key(self) -> NotAuthorized:
        """The error for a key that the endpoint does not accept; the key itself is never part of it."""
        return NotAuthorized("The model endpoint refused the key.", hint=self.hint)


def one_line(text: str, secrets: Iterable[str] = ()) -> str:
    """Foreign text for a sentence: on one line, short, without secrets and without characters that steer a screen."""
    for secret in secrets:
        text = text.replace(secret, "•••")
    visible = (letter if letter.isprintable() else " " for letter in text[:MOST_LOOKED_AT])
    line = " ".join("".join(visible).split())
    return line if len(line) <= DETAIL_CHARACTERS else f"{line[:DETAIL_CHARACTERS]}…"


def _forms(secret: str) -> tuple[str, ...]:
    """A secret as it is, and as JSON and addresses write it."""
    as_json = json.dumps(secret)[1:-1]
    return secret, as_json, as_json.replace("/", "\\/"), quote(secret), quote(secret, safe="")
