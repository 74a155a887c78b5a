"""Sheets: named pointers to a table, a volume or a join, with the roles of its columns, a filter and a sample."""

from workbench_core.ports import (
    ColumnRef,
    Join,
    JoinKey,
    JoinKind,
    JoinSource,
    JoinStats,
    Matches,
    Source,
    SourceRole,
    TimeWindow,
)
from workbench_core.ports.relations import MAX_ALIAS, MAX_SOURCES
from workbench_core.sheets.exports import FORMATS, ExportedFile, ExportFormat
from workbench_core.sheets.filters import OPERATORS, Condition, ConditionSet, Operator, conditions_of, expression_of
from workbench_core.sheets.join_config import MeasuredJoin, tables_of
from workbench_core.sheets.joins import JoinPreview, match_quality
from workbench_core.sheets.key_suggestions import KeySuggestion
from workbench_core.sheets.model import (
    LIFECYCLE,
    MAX_DESCRIPTION,
    MAX_NAME,
    Dependants,
    FilterVerdict,
    Moved,
    Sheet,
    SheetDraft,
    SheetList,
    SheetStatus,
    Stratum,
    UnreadableSheet,
    Validation,
)
from workbench_core.sheets.service import Sheets
from workbench_core.sheets.stakes import Stake

__all__ = [
    "FORMATS",
    "LIFECYCLE",
    "MAX_ALIAS",
    "MAX_DESCRIPTION",
    "MAX_NAME",
    "MAX_SOURCES",
    "OPERATORS",
    "ColumnRef",
    "Condition",
    "ConditionSet",
    "Dependants",
    "ExportFormat",
    "ExportedFile",
    "FilterVerdict",
    "Join",
    "JoinKey",
    "JoinKind",
    "JoinPreview",
    "JoinSource",
    "JoinStats",
    "KeySuggestion",
    "Matches",
    "MeasuredJoin",
    "Moved",
    "Operator",
    "Sheet",
    "SheetDraft",
    "SheetList",
    "SheetStatus",
    "Sheets",
    "Source",
    "SourceRole",
    "Stake",
    "Stratum",
    "TimeWindow",
    "UnreadableSheet",
    "Validation",
    "conditions_of",
    "expression_of",
    "match_quality",
    "tables_of",
]
