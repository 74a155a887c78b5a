"""What the features need from the outside: Store, Lake, ChatModel, Embedder, Trainer, Serving, Tracker."""

from workbench_core.ports.intake import TABLE_ENDINGS, FileInspection, IntakeColumn, IntakePlan
from workbench_core.ports.lake import Column, FileEntry, IdentifierCheck, Lake, Selection, TableEntry
from workbench_core.ports.models import ChatAnswer, ChatModel, ChatOptions, Conversation, Embedder, Message
from workbench_core.ports.quality import CheckCount, CheckReport, ColumnProfile, RowCheck, Watch
from workbench_core.ports.relations import (
    ColumnRef,
    Join,
    JoinKey,
    JoinKind,
    JoinSource,
    JoinStats,
    KeyComparison,
    Matches,
    Source,
    SourceRole,
    TimeWindow,
)
from workbench_core.ports.serving import EndpointState, LoggedRequest, Prediction, QueryResult, ServedVersion, Serving
from workbench_core.ports.store import Store
from workbench_core.ports.training import (
    RegisteredVersion,
    Tracker,
    Trainer,
    TrainingEvent,
    TrainingExample,
    TrainingRequest,
    TrainingResult,
)
from workbench_core.ports.values import Availability, Json, Row, Value

__all__ = [
    "TABLE_ENDINGS",
    "Availability",
    "ChatAnswer",
    "ChatModel",
    "ChatOptions",
    "CheckCount",
    "CheckReport",
    "Column",
    "ColumnProfile",
    "ColumnRef",
    "Conversation",
    "Embedder",
    "EndpointState",
    "FileEntry",
    "FileInspection",
    "IdentifierCheck",
    "IntakeColumn",
    "IntakePlan",
    "Join",
    "JoinKey",
    "JoinKind",
    "JoinSource",
    "JoinStats",
    "Json",
    "KeyComparison",
    "Lake",
    "LoggedRequest",
    "Matches",
    "Message",
    "Prediction",
    "QueryResult",
    "RegisteredVersion",
    "Row",
    "RowCheck",
    "Selection",
    "ServedVersion",
    "Serving",
    "Source",
    "SourceRole",
    "Store",
    "TableEntry",
    "TimeWindow",
    "Tracker",
    "Trainer",
    "TrainingEvent",
    "TrainingExample",
    "TrainingRequest",
    "TrainingResult",
    "Value",
    "Watch",
]
