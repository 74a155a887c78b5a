"""Usage governance: what a pair or label may be used for, and how rules combine (spec 1.6)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from workbench_core.errors import Invalid
from workbench_core.ports import Row


class Use(StrEnum):
    """What content may be used for."""

    TRAINING = "training"
    VALIDATION = "validation"
    EVALUATION = "evaluation"
    TESTING = "testing"
    FEW_SHOT = "few_shot"


class Classification(StrEnum):
    """How sensitive content is, from open to closed."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


_SENSITIVITY = list(Classification)


@dataclass(frozen=True, slots=True)
class UsageRules:
    """Allowed and prohibited uses, a classification and the reason. Prohibition wins (INV-6)."""

    allowed: frozenset[Use] = frozenset(Use)
    prohibited: frozenset[Use] = frozenset()
    classification: Classification = Classification.INTERNAL
    reason: str = ""

    def permits(self, use: Use) -> bool:
        """Whether the use is allowed and not prohibited."""
        return use in self.allowed and use not in self.prohibited

    def combine(self, other: UsageRules) -> UsageRules:
        """The most restrictive of both: fewer uses, more prohibitions, the higher class, both reasons."""
        reasons = dict.fromkeys(reason for reason in (self.reason, other.reason) if reason)
        return UsageRules(
            allowed=self.allowed & other.allowed,
            prohibited=self.prohibited | other.prohibited,
            classification=max(self.classification, other.classification, key=_SENSITIVITY.index),
            reason="; ".join(reasons),
        )

    def columns(self) -> dict[str, str]:
        """The four columns in which tables keep usage rules."""
        return {
            "allowed_uses": _uses_text(self.allowed),
            "prohibited_uses": _uses_text(self.prohibited),
            "usage_reason": self.reason,
            "classification": self.classification.value,
        }

    def summary(self) -> str:
        """The words of the badge: “All uses allowed”, “Training prohibited: patient data”, “3 uses allowed”."""
        if self.allowed == frozenset(Use) and not self.prohibited:
            return "All uses allowed"
        if not self.permits(Use.TRAINING):
            return "Training prohibited" + (f": {self.reason}" if self.reason else "")
        return f"{sum(self.permits(use) for use in Use)} uses allowed"


ALL_USES = UsageRules()


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of usage rules, chosen in one click."""

    name: str
    title: str
    rules: UsageRules


PRESETS: tuple[Preset, ...] = (
    Preset("all", "All uses", ALL_USES),
    Preset(
        "personal_data",
        "PHI / personal data",
        UsageRules(
            allowed=frozenset({Use.FEW_SHOT, Use.TESTING, Use.EVALUATION}),
            prohibited=frozenset({Use.TRAINING, Use.VALIDATION}),
            classification=Classification.RESTRICTED,
            reason="personal data",
        ),
    ),
    Preset("synthetic", "Synthetic", UsageRules(reason="synthetic")),
    Preset(
        "client_data",
        "NDA client data",
        UsageRules(
            allowed=frozenset({Use.TRAINING, Use.VALIDATION}),
            prohibited=frozenset({Use.FEW_SHOT, Use.EVALUATION}),
            classification=Classification.CONFIDENTIAL,
            reason="client data under NDA",
        ),
    ),
    Preset(
        "held_out",
        "Held-out test set",
        UsageRules(
            allowed=frozenset({Use.EVALUATION, Use.TESTING}),
            prohibited=frozenset({Use.TRAINING, Use.VALIDATION, Use.FEW_SHOT}),
            classification=Classification.INTERNAL,
            reason="held-out test set",
        ),
    ),
)


def preset(name: str) -> UsageRules:
    """The rules of a preset by its name. Raises Invalid for an unknown one."""
    for candidate in PRESETS:
        if candidate.name == name:
            return candidate.rules
    raise Invalid(f"There is no usage preset “{name}”.", hint=f"Presets: {', '.join(p.name for p in PRESETS)}.")


def from_tags(tags: Iterable[str]) -> UsageRules:
    """What the tags of a source table impose: PII or PHI, and CONFIDENTIAL."""
    rules = ALL_USES
    for tag in {tag.strip().upper() for tag in tags}:
        if tag in {"PII", "PHI"}:
            rules = rules.combine(
                UsageRules(
                    prohibited=frozenset({Use.TRAINING, Use.VALIDATION}),
                    classification=Classification.RESTRICTED,
                    reason=f"source tagged {tag}",
                )
            )
        elif tag == "CONFIDENTIAL":
            rules = rules.combine(
                UsageRules(
                    allowed=frozenset({Use.TRAINING, Use.VALIDATION}),
                    prohibited=frozenset({Use.FEW_SHOT, Use.EVALUATION}),
                    classification=Classification.CONFIDENTIAL,
                    reason="source tagged CONFIDENTIAL",
                )
            )
    return rules


def checked(allowed: Iterable[str], prohibited: Iterable[str], classification: str, reason: str) -> UsageRules:
    """Usage rules as a person typed them. Raises Invalid for an overlap or an unknown word (INV-6)."""
    try:
        rules = UsageRules(
            frozenset(Use(use) for use in allowed),
            frozenset(Use(use) for use in prohibited),
            Classification(classification),
            reason.strip(),
        )
    except ValueError as error:
        raise Invalid(f"This usage rule is not known: {error}.", hint="Choose from the lists.") from None
    overlap = rules.allowed & rules.prohibited
    if overlap:
        raise Invalid(
            f"{', '.join(sorted(overlap))} cannot be both allowed and prohibited.",
            hint="Remove it from one of the lists.",
        )
    return rules


def from_row(row: Row) -> UsageRules:
    """Read the four columns back."""
    return _read(
        str(row["allowed_uses"]),
        str(row["prohibited_uses"]),
        str(row["classification"]),
        str(row.get("usage_reason") or ""),
    )


@lru_cache(maxsize=1024)
def _read(allowed: str, prohibited: str, classification: str, reason: str) -> UsageRules:
    """Most rows of a table share a few rules, and reading them is what costs most in a row."""
    return UsageRules(
        allowed=frozenset(Use(use) for use in json.loads(allowed)),
        prohibited=frozenset(Use(use) for use in json.loads(prohibited)),
        classification=Classification(classification),
        reason=reason,
    )


def _uses_text(uses: Iterable[Use]) -> str:
    return json.dumps([use.value for use in Use if use in set(uses)])
