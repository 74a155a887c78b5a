"""Label sets: the allowed answers of a label type, as classes or as a response schema, in versions."""

from workbench_core.label_sets.checks import MAX_CLASSES, problems_of, tidied
from workbench_core.label_sets.colours import free_colours, is_readable
from workbench_core.label_sets.comparison import Difference, differences
from workbench_core.label_sets.definition_file import definition_of, draft_from_definition, file_name
from workbench_core.label_sets.governance import check_may_serve, rules_of_type
from workbench_core.label_sets.hotkeys import RESERVED_KEYS, free_hotkeys
from workbench_core.label_sets.model import (
    DELETABLE,
    LIFECYCLE,
    VERSIONABLE,
    ClassCount,
    Derived,
    Facets,
    LabelClass,
    LabelSet,
    LabelSetDraft,
    LabelSetFilter,
    LabelSetStats,
    LabelSetStatus,
    Problem,
    UsedBy,
)
from workbench_core.label_sets.presets import CLASS_LIBRARY, PRESETS
from workbench_core.label_sets.response_schema import schema_from_text
from workbench_core.label_sets.service import LabelSets

__all__ = [
    "CLASS_LIBRARY",
    "DELETABLE",
    "LIFECYCLE",
    "MAX_CLASSES",
    "PRESETS",
    "RESERVED_KEYS",
    "VERSIONABLE",
    "ClassCount",
    "Derived",
    "Difference",
    "Facets",
    "LabelClass",
    "LabelSet",
    "LabelSetDraft",
    "LabelSetFilter",
    "LabelSetStats",
    "LabelSetStatus",
    "LabelSets",
    "Problem",
    "UsedBy",
    "check_may_serve",
    "definition_of",
    "differences",
    "draft_from_definition",
    "file_name",
    "free_colours",
    "free_hotkeys",
    "is_readable",
    "problems_of",
    "rules_of_type",
    "schema_from_text",
    "tidied",
]
