"""Time and identifiers, passed in so that tests can fix them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present moment as an aware UTC time."""
    return datetime.now(UTC)


def new_id(prefix: str) -> str:
    """A new opaque identifier such as `sheet-3f2a9c0d1b7e`."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"
