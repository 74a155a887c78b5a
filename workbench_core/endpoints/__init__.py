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

__all__ = [
    "ALIAS",
    "Deployment",
    "DeploymentAction",
    "DeploymentState",
    "Endpoint",
    "EndpointStatus",
    "Endpoints",
    "SheetRow",
    "describe",
    "name_for",
]
