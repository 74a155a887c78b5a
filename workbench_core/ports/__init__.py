"""What the features need from the outside: Store, Lake, ChatModel, Embedder, Trainer, Serving, Tracker."""

from workbench_core.ports.lake import Column, FileEntry, IdentifierCheck, Lake, Selection, TableEntry
from workbench_core.ports.models import ChatAnswer, ChatModel, ChatOptions, Conversation, Embedder, Message
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
    "Availability",
    "ChatAnswer",
    "ChatModel",
    "ChatOptions",
    "Column",
    "Conversation",
    "Embedder",
    "EndpointState",
    "FileEntry",
    "IdentifierCheck",
    "Json",
    "Lake",
    "LoggedRequest",
    "Message",
    "Prediction",
    "QueryResult",
    "RegisteredVersion",
    "Row",
    "Selection",
    "ServedVersion",
    "Serving",
    "Store",
    "TableEntry",
    "Tracker",
    "Trainer",
    "TrainingEvent",
    "TrainingExample",
    "TrainingRequest",
    "TrainingResult",
    "Value",
]
