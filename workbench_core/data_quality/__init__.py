"""Data quality: rules on the rows of a sheet, runs that say which rows fail, and decisions about single items."""

from workbench_core.data_quality.check_functions import CHECK_FUNCTIONS, Argument, ArgumentKind, CheckFunction, Scope
from workbench_core.data_quality.fix_queue import FixQueue
from workbench_core.data_quality.proposals import Proposals
from workbench_core.data_quality.quarantine import Quarantine
from workbench_core.data_quality.queue_items import (
    Decision,
    DecisionResult,
    ItemDetails,
    ItemState,
    PastDecision,
    Problem,
    QueueFilter,
    QueueItem,
    QueuePage,
)
from workbench_core.data_quality.results import (
    ItemKind,
    QualityRun,
    RuleChange,
    RuleOutcome,
    RunComparison,
    Sample,
    ScanResult,
    ScoreColour,
    ScoreWord,
    score_colour,
    score_word,
)
from workbench_core.data_quality.rule_export import DQX_VERSION, Format, WrittenRules
from workbench_core.data_quality.rule_files import RefusedRule
from workbench_core.data_quality.rule_history import words_of
from workbench_core.data_quality.rule_vetting import ImportPreview, ImportResult
from workbench_core.data_quality.rules import Criticality, Origin, Rule, RuleDraft
from workbench_core.data_quality.scan_options import ScanOptions
from workbench_core.data_quality.sentence_rules import EXAMPLES
from workbench_core.data_quality.service import (
    CHECK_KIND,
    PROFILE_KIND,
    DataQuality,
)
from workbench_core.data_quality.sheet_profiles import SheetProfile
from workbench_core.data_quality.suggestions import RuleSuggestion
from workbench_core.ports import ColumnProfile, Json

__all__ = [
    "CHECK_FUNCTIONS",
    "CHECK_KIND",
    "DQX_VERSION",
    "EXAMPLES",
    "PROFILE_KIND",
    "Argument",
    "ArgumentKind",
    "CheckFunction",
    "ColumnProfile",
    "Criticality",
    "DataQuality",
    "Decision",
    "DecisionResult",
    "FixQueue",
    "Format",
    "ImportPreview",
    "ImportResult",
    "ItemDetails",
    "ItemKind",
    "ItemState",
    "Json",
    "Origin",
    "PastDecision",
    "Problem",
    "Proposals",
    "QualityRun",
    "Quarantine",
    "QueueFilter",
    "QueueItem",
    "QueuePage",
    "RefusedRule",
    "Rule",
    "RuleChange",
    "RuleDraft",
    "RuleOutcome",
    "RuleSuggestion",
    "RunComparison",
    "Sample",
    "ScanOptions",
    "ScanResult",
    "Scope",
    "ScoreColour",
    "ScoreWord",
    "SheetProfile",
    "WrittenRules",
    "score_colour",
    "score_word",
    "words_of",
]
