"""What an endpoint understands of the protocol, learned from what it refuses."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

NOT_TAKEN = re.compile(
    r"unsupported|not support|not permitted|not allowed|unrecognized|unknown|unexpected|extra"
    r"|invalid (?:field|param)|unavailable|not available|not implemented",
    re.IGNORECASE,
)
NAMES_THE_FORMAT = re.compile(r"response_?format|json_schema|json_object|structured output|json mode", re.IGNORECASE)
NAMES_THE_SCHEMA = re.compile(r"invalid[ _](?:json[ _])?schema|schema is (?:not valid|invalid)", re.IGNORECASE)


class Structured(StrEnum):
    """How an answer is held to a schema, the best way first."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    NONE = "none"


NEXT = {Structured.JSON_SCHEMA: Structured.JSON_OBJECT, Structured.JSON_OBJECT: Structured.NONE}


@dataclass(frozen=True, slots=True)
class Dialect:
    """The fields to send. Newer models of OpenAI refuse `max_tokens` and a temperature, some servers a seed."""

    structured: Structured = Structured.JSON_SCHEMA
    may_step_down: bool = True
    limit_field: str = "max_tokens"
    sends_seed: bool = True
    sends_temperature: bool = True


def first_dialect(structured: str, *, sends_seed: bool) -> Dialect:
    """The dialect to begin with; `structured` is "auto" or one of Structured, which then stays."""
    is_auto = structured == "auto"
    return Dialect(Structured.JSON_SCHEMA if is_auto else Structured(structured), is_auto, sends_seed=sends_seed)


def simpler(sent: Dialect, refusal: str) -> Dialect | None:
    """The dialect to try after a refusal in these words; None when the words do not ask for another one."""
    if NAMES_THE_FORMAT.search(refusal) and sent.may_step_down and sent.structured in NEXT:
        return replace(sent, structured=NEXT[sent.structured])
    if not NOT_TAKEN.search(refusal):
        return None
    if "max_tokens" in refusal and sent.limit_field == "max_tokens":
        return replace(sent, limit_field="max_completion_tokens")
    if "temperature" in refusal and sent.sends_temperature:
        return replace(sent, sends_temperature=False)
    if re.search(r"\bseed\b", refusal) and sent.sends_seed:
        return replace(sent, sends_seed=False)
    return None


def is_about_the_schema(refusal: str) -> bool:
    """Whether only this schema is refused, so that other questions may still go with theirs."""
    return bool(NAMES_THE_SCHEMA.search(refusal))
