"""Training jobs: the gate, the submission, the live curves, and the registered version with its exact lineage."""

from workbench_core.ports import Json, Trainer
from workbench_core.training_jobs.model import (
    LIFECYCLE,
    Candidate,
    ItemChange,
    JobEvent,
    JobRequest,
    JobStatus,
    PairDifference,
    RetrainProposal,
    TrainingJob,
    model_name_from,
)
from workbench_core.training_jobs.service import TrainingJobs
from workbench_core.training_jobs.work import KIND, LONGEST

__all__ = [
    "KIND",
    "LIFECYCLE",
    "LONGEST",
    "Candidate",
    "ItemChange",
    "JobEvent",
    "JobRequest",
    "JobStatus",
    "Json",
    "PairDifference",
    "RetrainProposal",
    "Trainer",
    "TrainingJob",
    "TrainingJobs",
    "model_name_from",
]
