"""Training sheets: one template version applied to one sheet, from pre-flight over generation to a closed review."""

from workbench_core.training_sheets.model import (
    LIFECYCLE,
    GenerationRequest,
    Preflight,
    TrainingSheet,
    TrainingSheetStatus,
)
from workbench_core.training_sheets.service import TrainingSheets

__all__ = [
    "LIFECYCLE",
    "GenerationRequest",
    "Preflight",
    "TrainingSheet",
    "TrainingSheetStatus",
    "TrainingSheets",
]
