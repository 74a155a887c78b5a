"""Endpoints: model versions behind a stable name, their shares of the traffic, and every change ever made to them."""

from workbench_core.endpoints.model import (
    Deployment,
    DeploymentAction,
    DeploymentState,
    Endpoint,
    EndpointStatus,
    SheetRow,
    describe,
    name_for,
)
from workbench_core.endpoints.service import ALIAS, Endpoints
from workbench_core.ports import QueryResult

__all__ = [
    "ALIAS",
    "Deployment",
    "DeploymentAction",
    "DeploymentState",
    "Endpoint",
    "EndpointStatus",
    "Endpoints",
    "QueryResult",
    "SheetRow",
    "describe",
    "name_for",
]
