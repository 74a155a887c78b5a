"""Training sheets: one template version applied to one sheet, from pre-flight over generation to a closed review."""

from workbench_core.training_sheets.answering import (
    ANSWERING_LIFECYCLE,
    Answering,
    AnsweringPreview,
    AnsweringStatus,
    AnswerRequest,
)
from workbench_core.training_sheets.model import (
    LIFECYCLE,
    MAX_EXAMPLES,
    PAUSED,
    BatchOutcome,
    GenerationRequest,
    Preflight,
    TrainingSheet,
    TrainingSheetStatus,
)
from workbench_core.training_sheets.replaced_answers import ReplacedAnswer
from workbench_core.training_sheets.sampling import MOST_SAMPLE_SEED, MOST_SAMPLED, Sampling
from workbench_core.training_sheets.service import TrainingSheets
from workbench_core.training_sheets.spending import Spending, money

__all__ = [
    "ANSWERING_LIFECYCLE",
    "LIFECYCLE",
    "MAX_EXAMPLES",
    "MOST_SAMPLED",
    "MOST_SAMPLE_SEED",
    "PAUSED",
    "AnswerRequest",
    "Answering",
    "AnsweringPreview",
    "AnsweringStatus",
    "BatchOutcome",
    "GenerationRequest",
    "Preflight",
    "ReplacedAnswer",
    "Sampling",
    "Spending",
    "TrainingSheet",
    "TrainingSheetStatus",
    "TrainingSheets",
    "money",
]
