"""How fast questions may go to one endpoint: requests and tokens per minute, and pauses that the server asks for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

MINUTE = 60.0
WEIGHT_OF_NEWEST = 0.1  # of an answer in the moving mean of tokens


class RateLimit:
    """One per endpoint, shared by all its workers in all threads. Questions go out evenly, never in a burst.

    The generic cell rate algorithm (ITU-T I.371) without a burst: a question of cost c keeps the way closed for
    c / rate. Tokens are estimated before, and corrected when the answer says how many there were.
    """

    def __init__(
        self, requests_per_minute: int = 0, tokens_per_minute: int = 0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._request_seconds = MINUTE / requests_per_minute if requests_per_minute else 0.0
        self._token_seconds = MINUTE / tokens_per_minute if tokens_per_minute else 0.0
        self._clock = clock
        self._next_request = self._next_token = self._paused_until = float("-inf")
        self._mean_tokens_out: float | None = None
        self._lock = threading.Lock()

    def is_open(self) -> bool:
        """Whether a question may go without asking: there are no limits, and no pause."""
        return not self._request_seconds and not self._token_seconds and self._paused_until <= self._clock()

    def expected_tokens(self, characters: int, max_tokens: int) -> int:
        """About how many tokens a question with this many characters and its answer will have."""
        out = max_tokens if self._mean_tokens_out is None else min(max_tokens, self._mean_tokens_out)
        return int(characters / 4 + out) + 1

    def take(self, tokens: int) -> float:
        """Take a turn for so many tokens and give 0; otherwise the seconds until one may try again."""
        with self._lock:
            now = self._clock()
            wait = max(self._next_request, self._next_token, self._paused_until) - now
            if wait > 0:
                return wait
            self._next_request = self._after(self._next_request, now) + self._request_seconds
            self._next_token = max(self._next_token, now) + tokens * self._token_seconds
            return 0.0

    def settle(self, expected: int, tokens_in: int, tokens_out: int) -> None:
        """Correct an estimate by what the answer really had."""
        with self._lock:
            before = tokens_out if self._mean_tokens_out is None else self._mean_tokens_out
            self._mean_tokens_out = before + WEIGHT_OF_NEWEST * (tokens_out - before)
            if tokens_in + tokens_out:  # a server that counts no tokens leaves it at the estimate
                self._next_token += (tokens_in + tokens_out - expected) * self._token_seconds

    def pause(self, seconds: float) -> None:
        """Let nobody go for so long."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _after(self, planned: float, now: float) -> float:
        """From when the next interval counts: a turn taken a little late does not shift the ones after it."""
        return planned if now - planned < self._request_seconds else now
