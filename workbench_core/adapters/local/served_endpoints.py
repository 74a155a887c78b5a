"""The endpoints of the gateway: which version answers which share of the traffic, kept beside the request log."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from workbench_core.adapters.local.request_log import open_log
from workbench_core.errors import Invalid
from workbench_core.ports import Json, ServedVersion

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
SCHEMA = """
CREATE TABLE IF NOT EXISTS endpoints (
    endpoint TEXT NOT NULL PRIMARY KEY,
    config_version INTEGER NOT NULL,
    routes TEXT NOT NULL,
    changed_at TEXT NOT NULL
)
"""
SAVE = """
INSERT INTO endpoints (endpoint, config_version, routes, changed_at)
VALUES (:endpoint, :config_version, :routes, :changed_at)
ON CONFLICT (endpoint) DO UPDATE
SET config_version = excluded.config_version, routes = excluded.routes, changed_at = excluded.changed_at
"""


@dataclass(frozen=True, slots=True)
class Route:
    """One served version under its name within the endpoint, and its share in percent."""

    name: str
    model_name: str
    version: int
    traffic_percent: int

    @property
    def key(self) -> tuple[str, int]:
        """Model name and version."""
        return self.model_name, self.version


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One configuration of an endpoint; a change makes a new one."""

    name: str
    routes: tuple[Route, ...]
    config_version: int = 0

    @property
    def served(self) -> tuple[ServedVersion, ...]:
        """The same as the port says it."""
        return tuple(ServedVersion(r.model_name, r.version, r.traffic_percent) for r in self.routes)

    def route(self, request_id: str) -> Route:
        """The version that answers this request: the identifier modulo 100 falls into one of the shares.

        So anybody can check the split, and a repeated request meets the same version.
        """
        point = uuid.UUID(request_id).int % 100
        for route in self.routes:
            if point < route.traffic_percent:
                return route
            point -= route.traffic_percent
        raise AssertionError("the shares add up to 100")


def check_endpoint_name(name: str) -> str:
    """Give the name back. Raises Invalid when it cannot be part of an address."""
    if not NAME.fullmatch(name):
        raise Invalid(
            f"“{name}” cannot be the name of an endpoint.",
            hint="Use at most 63 letters, digits, dashes and underscores, beginning with a letter or digit.",
        )
    return name


def served_name(served: ServedVersion) -> str:
    """The name of a served version within its endpoint, such as `reviews-3`."""
    ending = f"-{served.version}"
    return re.sub(r"[^A-Za-z0-9_-]", "-", served.model_name)[: 63 - len(ending)] + ending


def parse_config(endpoint: str, body: dict[str, Json]) -> Endpoint:
    """Read `served_entities` and `traffic_config.routes`; one entity alone gets all traffic. Raises Invalid."""
    check_endpoint_name(endpoint)
    try:
        shares = _shares(body)
        routes = tuple(_route(entity, shares) for entity in _objects(body["served_entities"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(
            f"The configuration cannot be read: {type(error).__name__}: {error}.",
            hint="It needs served_entities (name, entity_name, entity_version) and traffic_config.routes.",
        ) from None
    _check_shares(routes, shares)
    return Endpoint(endpoint, routes)


def config_body(served: Sequence[ServedVersion]) -> dict[str, Json]:
    """The request body for these versions: the counterpart of `parse_config`."""
    return {
        "served_entities": [
            {"name": served_name(one), "entity_name": one.model_name, "entity_version": str(one.version)}
            for one in served
        ],
        "traffic_config": {
            "routes": [
                {"served_model_name": served_name(one), "traffic_percentage": one.traffic_percent} for one in served
            ]
        },
    }


def read_endpoints(path: Path) -> dict[str, Endpoint]:
    """All endpoints that were saved, by name."""
    with closing(open_log(path)) as connection, connection:
        connection.execute(SCHEMA)
        rows = connection.execute("SELECT endpoint, config_version, routes FROM endpoints ORDER BY endpoint").fetchall()
    return {
        name: Endpoint(name, tuple(Route(**route) for route in json.loads(routes)), config_version)
        for name, config_version, routes in rows
    }


def save_endpoint(path: Path, endpoint: Endpoint) -> None:
    """Keep an endpoint's configuration, in place of the one before."""
    values = {
        "endpoint": endpoint.name,
        "config_version": endpoint.config_version,
        "routes": json.dumps([asdict(route) for route in endpoint.routes]),
        "changed_at": datetime.now(UTC).isoformat(),
    }
    with closing(open_log(path)) as connection, connection:
        connection.execute(SCHEMA)
        connection.execute(SAVE, values)


def delete_endpoint(path: Path, name: str) -> None:
    """Forget an endpoint; its requests stay."""
    with closing(open_log(path)) as connection, connection:
        connection.execute(SCHEMA)
        connection.execute("DELETE FROM endpoints WHERE endpoint = :endpoint", {"endpoint": name})


def _objects(value: Json) -> list[dict[str, Json]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise TypeError("a list of objects is expected")
    return [one for one in value if isinstance(one, dict)]


def _shares(body: dict[str, Json]) -> dict[str, int]:
    traffic = body.get("traffic_config")
    routes = _objects(traffic.get("routes", [])) if isinstance(traffic, dict) else []
    if routes:
        return {str(route["served_model_name"]): _whole(route["traffic_percentage"]) for route in routes}
    entities = _objects(body["served_entities"])
    return {str(entities[0]["name"]): 100} if len(entities) == 1 else {}


def _route(entity: dict[str, Json], shares: dict[str, int]) -> Route:
    name = str(entity["name"])
    return Route(name, str(entity["entity_name"]), _whole(entity["entity_version"]), shares.get(name, 0))


def _whole(value: Json) -> int:
    number = int(str(value))
    if number < 0:
        raise ValueError(f"{number} is below zero")
    return number


def _check_shares(routes: tuple[Route, ...], shares: dict[str, int]) -> None:
    if not routes:
        raise Invalid("An endpoint needs at least one model version.", hint="Pick a version to serve.")
    for named in (route.name for route in routes):
        if not NAME.fullmatch(named):
            raise Invalid(f"“{named}” cannot be the name of a served version.", hint="Use letters, digits, - and _.")
    if len({route.key for route in routes}) < len(routes) or len({route.name for route in routes}) < len(routes):
        raise Invalid("The same version is served twice.", hint="Give each version once, with its whole share.")
    if unknown := set(shares) - {route.name for route in routes}:
        raise Invalid(f"Traffic goes to “{min(unknown)}”, which is not served.", hint="Add it to served_entities.")
    if (total := sum(route.traffic_percent for route in routes)) != 100:
        raise Invalid(f"The shares of the traffic add up to {total} percent.", hint="Make them add up to 100.")
