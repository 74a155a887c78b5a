"""Version numbers of templates, and the rule that a lineage has one open draft."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workbench_core.errors import Conflict
from workbench_core.prompt_templates.template import PromptTemplate, TemplateStatus

_VERSION = re.compile(r"\s*v?(\d{1,6})(?:\.(\d{1,6}))?")


def numbers_of(version: str) -> tuple[int, int]:
    """Major and minor number; a version text that is none counts as 1.0."""
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2] or 0)) if found else (1, 0)


def version_after(versions: Sequence[PromptTemplate]) -> str:
    """The next minor version of a lineage (TP-6)."""
    major, minor = max(numbers_of(version.version) for version in versions)
    return f"{major}.{minor + 1}.0"


def refuse_second_draft(versions: Sequence[PromptTemplate]) -> None:
    """Raise Conflict when one of these versions is an open draft."""
    for version in versions:
        if version.status is TemplateStatus.DRAFT:
            raise Conflict(
                f"“{version.name}” has the open draft {version.version} already.",
                hint="Publish, archive or delete that draft first.",
            )
