"""Version numbers of label sets, each given once, and the rule that a lineage has one open draft."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workbench_core.errors import Conflict
from workbench_core.history import History
from workbench_core.label_sets.model import LabelSet, LabelSetStatus

_LINEAGE = "label_set_lineage"  # of the history
_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})")


def numbers_of(version: str) -> tuple[int, int]:
    """Major and minor number; a version text that is none counts as 1.0."""
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2])) if found else (1, 0)


def version_after(versions: Sequence[LabelSet], history: History) -> str:
    """The next minor version of a lineage; one that was deleted keeps its number."""
    deleted = [str(event.details.get("version")) for event in history.of(_LINEAGE, versions[0].lineage_id)]
    major, minor = max(numbers_of(version) for version in [*(version.version for version in versions), *deleted])
    return f"{major}.{minor + 1}.0"


def note_deletion(label_set: LabelSet, history: History, *, by: str) -> None:
    """Remember the number of a version that is deleted; call it inside the transaction that deletes it."""
    history.add(_LINEAGE, label_set.lineage_id, "delete version", by=by, version=label_set.version)


def refuse_second_draft(versions: Sequence[LabelSet]) -> None:
    """Raise Conflict when one of these versions is an open draft."""
    for version in versions:
        if version.status is LabelSetStatus.DRAFT:
            raise Conflict(
                f"“{version.name}” has the open draft {version.version} already.",
                hint="Publish, archive or delete that draft first.",
            )
