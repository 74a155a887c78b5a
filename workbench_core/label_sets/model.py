"""The words of label sets: classes, drafts, stored versions, what is asked for, and what can be done with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum

from workbench_core.label_sets.response_schema import schema_fault_of
from workbench_core.lifecycle import Lifecycle
from workbench_core.ports import Json
from workbench_core.usage import ALL_USES, UsageRules


class LabelSetStatus(StrEnum):
    """Where a label set stands; a published one never changes (INV-7)."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


LIFECYCLE: Lifecycle[LabelSetStatus] = Lifecycle(
    publish=({LabelSetStatus.DRAFT}, LabelSetStatus.PUBLISHED),
    archive=({LabelSetStatus.DRAFT, LabelSetStatus.PUBLISHED}, LabelSetStatus.ARCHIVED),
    restore=({LabelSetStatus.ARCHIVED}, LabelSetStatus.DRAFT),  # to published when it had been published
)
DELETABLE = frozenset({LabelSetStatus.DRAFT, LabelSetStatus.ARCHIVED})
VERSIONABLE = frozenset({LabelSetStatus.PUBLISHED})


@dataclass(frozen=True, slots=True)
class LabelClass:
    """One allowed answer. `name` is what is stored; people see `title` or, without one, the name.

    `colour` is #rrggbb, `hotkey` one character that chooses it. `threshold` (0 to 1) is the confidence from which a
    model's answer of this class may be trusted.
    """

    name: str
    title: str = ""
    colour: str = ""
    description: str = ""
    hotkey: str = ""
    threshold: float = 0.0

    @property
    def shown(self) -> str:
        """What people read."""
        return self.title or self.name


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a label set: the field and a sentence. A warning does not keep it from being published."""

    field: str
    message: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class LabelSetDraft:
    """What a person fills in. `response_schema` is a JSON Schema, empty for none.

    `usage` is imposed on what is labelled with the set (the most restrictive rule wins); `may_serve` says whether a
    model may answer with these classes in production (the use production_inference).
    """

    name: str
    label_type: str
    description: str = ""
    use_case: str = ""
    classes: tuple[LabelClass, ...] = ()
    response_schema: Mapping[str, Json] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    usage: UsageRules = ALL_USES
    may_serve: bool = True

    @property
    def class_names(self) -> tuple[str, ...]:
        """The allowed answers, as they are stored."""
        return tuple(one.name for one in self.classes)

    def answer_fault(self, answer: str) -> str:
        """Why a text is no answer of this set, as a sentence; empty when it is a class or fits the response schema."""
        if answer in self.class_names:
            return ""
        if self.response_schema:
            return schema_fault_of(answer, self.response_schema)
        return f"“{answer[:100]}” is not one of the classes {', '.join(self.class_names[:12])}."


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSet(LabelSetDraft):
    """A version of a label set as it is stored."""

    id: str
    lineage_id: str
    parent_id: str | None
    version: str
    status: LabelSetStatus
    is_demo: bool
    row_version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime
    published_by: str
    published_at: datetime | None

    @property
    def draft(self) -> LabelSetDraft:
        """What a person filled in, without what the store added."""
        return LabelSetDraft(**{entry.name: getattr(self, entry.name) for entry in fields(LabelSetDraft)})

    @property
    def actions(self) -> tuple[str, ...]:
        """What can be done with it now, in the order of the buttons."""
        possible = LIFECYCLE.actions(self.status)
        more = ["create_version"] if self.status in VERSIONABLE else []
        return (*possible, *more, "duplicate", *(["delete"] if self.status in DELETABLE else []))


@dataclass(frozen=True, slots=True)
class LabelSetFilter:
    """Which label sets to list; empty parts do not restrict (LS-1). A set with any of the tags matches."""

    status: LabelSetStatus | None = None
    label_type: str = ""
    use_case: str = ""
    tags: tuple[str, ...] = ()
    search: str = ""


@dataclass(frozen=True, slots=True)
class Facets:
    """What the label sets can be filtered by: each value that occurs, in order."""

    label_types: tuple[str, ...]
    use_cases: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How many labels say one class."""

    name: str
    labels: int


@dataclass(frozen=True, slots=True)
class LabelSetStats:
    """What stands on the label type of a set (LS-5). `others` are labels whose answer is none of the classes."""

    labels: int
    classes: tuple[ClassCount, ...]
    sheets: int
    training_sheets: int
    labeling_tasks: int
    templates: int

    @property
    def others(self) -> int:
        """Labels whose answer is none of the classes."""
        return self.labels - sum(one.labels for one in self.classes)


@dataclass(frozen=True, slots=True)
class UsedBy:
    """Something that uses the label type of a set: a template, sheet, training sheet or labelling task."""

    kind: str
    id: str
    name: str
    details: str


@dataclass(frozen=True, slots=True)
class Derived:
    """Classes proposed from values that are there (LS-7), the most frequent first, with how often each occurs.

    `merged` are other spellings of the same values (other case or spaces): labels must say the proposed ones.
    """

    name: str
    label_type: str
    classes: tuple[LabelClass, ...]
    counts: tuple[int, ...]
    merged: tuple[str, ...] = ()

    @property
    def draft(self) -> LabelSetDraft:
        """A label set with these classes, to look through before it is made."""
        return LabelSetDraft(self.name, self.label_type, classes=self.classes)
