"""Sheets: named pointers to a table or volume with the roles of its columns, a filter and a sample."""

from workbench_core.sheets.model import (
    LIFECYCLE,
    MAX_DESCRIPTION,
    MAX_NAME,
    Dependants,
    FilterVerdict,
    Sheet,
    SheetDraft,
    SheetStatus,
    Validation,
)
from workbench_core.sheets.service import Sheets

__all__ = [
    "LIFECYCLE",
    "MAX_DESCRIPTION",
    "MAX_NAME",
    "Dependants",
    "FilterVerdict",
    "Sheet",
    "SheetDraft",
    "SheetStatus",
    "Sheets",
    "Validation",
]
