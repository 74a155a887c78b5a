"""Gaps: describable weaknesses of a model version, found in its errors, and the proof that they closed."""

from workbench_core.gaps.analysis import AnalysisResult, Evidence
from workbench_core.gaps.chain import ChainLink, ChainStep
from workbench_core.gaps.closure import ClosureVerdict, GapClosure, closure_verdict
from workbench_core.gaps.model import LIFECYCLE, UNDER_WORK, Gap, GapStatus, GapType
from workbench_core.gaps.service import CLOSE_KIND, KIND, Gaps

__all__ = [
    "CLOSE_KIND",
    "KIND",
    "LIFECYCLE",
    "UNDER_WORK",
    "AnalysisResult",
    "ChainLink",
    "ChainStep",
    "ClosureVerdict",
    "Evidence",
    "Gap",
    "GapClosure",
    "GapStatus",
    "GapType",
    "Gaps",
    "closure_verdict",
]
