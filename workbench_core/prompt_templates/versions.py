"""Version numbers of templates, each given once, and the rule that a lineage has one open draft."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workbench_core.errors import Conflict
from workbench_core.history import History
from workbench_core.prompt_templates.template import PromptTemplate, TemplateStatus

_LINEAGE = "prompt_template_lineage"  # of the history
_VERSION = re.compile(r"\s*v?(\d{1,6})(?:\.(\d{1,6}))?")


def numbers_of(version: str) -> tuple[int, int]:
    """Major and minor number; a version text that is none counts as 1.0."""
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2] or 0)) if found else (1, 0)


def version_after(versions: Sequence[PromptTemplate], history: History) -> str:
    """The next minor version of a lineage (TP-6); one that was deleted keeps its number."""
    deleted = [str(event.details.get("version")) for event in history.of(_LINEAGE, versions[0].lineage_id)]
    major, minor = max(numbers_of(version) for version in [*(version.version for version in versions), *deleted])
    return f"{major}.{minor + 1}.0"


def note_deletion(template: PromptTemplate, history: History, *, by: str) -> None:
    """Remember the number of a version that is deleted; call it inside the transaction that deletes it."""
    history.add(_LINEAGE, template.lineage_id, "delete version", by=by, version=template.version)


def refuse_second_draft(versions: Sequence[PromptTemplate]) -> None:
    """Raise Conflict when one of these versions is an open draft."""
    for version in versions:
        if version.status is TemplateStatus.DRAFT:
            raise Conflict(
                f"“{version.name}” has the open draft {version.version} already.",
                hint="Publish, archive or delete that draft first.",
            )
