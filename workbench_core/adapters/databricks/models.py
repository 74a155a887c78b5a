"""Models behind Databricks Model Serving: the OpenAI-compatible endpoints, signed in to by databricks-sdk."""

from __future__ import annotations

import logging
import socket
import threading
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from workbench_core.adapters.chat_completions import ChatEndpoint
from workbench_core.errors import NotAuthorized, Unavailable
from workbench_core.ports import Availability

if TYPE_CHECKING:
    from databricks.sdk.core import Config

SIGN_IN_SECONDS = 10
CONNECT_SECONDS = 3.0
HINT = (
    "Check DATABRICKS_HOST, and DATABRICKS_CLIENT_ID with DATABRICKS_CLIENT_SECRET or DATABRICKS_TOKEN "
    "(https://docs.databricks.com/dev-tools/auth), and that the serving endpoint exists."
)

log = logging.getLogger(__name__)


def signed_by_databricks(endpoint: ChatEndpoint) -> ChatEndpoint:
    """The endpoint with the sign-in of databricks-sdk for the host of its address.

    The SDK finds the credentials (environment, profile, app identity) and renews tokens before they end; nothing is
    asked of the workspace before the first request.
    """
    sign_in = _SignIn(endpoint)
    return replace(endpoint, key="", headers=sign_in.headers, check=sign_in.readiness, hint=HINT)


class _SignIn:
    """One configuration of the SDK, made when it is first needed."""

    def __init__(self, endpoint: ChatEndpoint) -> None:
        parts = urlsplit(endpoint.base_url)
        self._host = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        self._model = endpoint.model
        self._made: Config | None = None
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        """The headers to send now. Raises NotAuthorized, Unavailable."""
        from databricks.sdk.errors.base import DatabricksError

        try:
            return dict(self._config().authenticate())
        except OSError:  # what requests raises is one, too
            is_reached = False
        except (ValueError, DatabricksError) as error:
            is_reached = True
            log.info("Signing in to %s failed: %s", self._host, type(error).__name__)
        # outside of the handler, and in our words: the SDK's may list its configuration
        if is_reached:
            raise NotAuthorized("Databricks did not sign us in.", hint=HINT)
        raise self._unreachable()

    def readiness(self) -> Availability:
        """What the workspace says of the serving endpoint, asked with short limits. Never raises."""
        from databricks.sdk import WorkspaceClient
        from databricks.sdk.errors import NotFound, PermissionDenied, Unauthenticated
        from databricks.sdk.errors.base import DatabricksError

        try:
            self._reach()
            self.headers()
            state = WorkspaceClient(config=self._config()).serving_endpoints.get(self._model).state
        except (NotAuthorized, Unavailable) as error:
            return Availability(False, error.message, error.hint)
        except NotFound:
            return Availability(False, f"There is no serving endpoint “{self._model}”.", HINT)
        except (PermissionDenied, Unauthenticated):
            return Availability(False, f"Databricks does not let us see the endpoint “{self._model}”.", HINT)
        except (ValueError, OSError, DatabricksError, TimeoutError):
            return Availability(False, f"Databricks at {self._host} did not answer.", HINT)
        if state is not None and state.ready is not None and state.ready.value == "READY":
            return Availability(True)
        return Availability(False, f"The serving endpoint “{self._model}” is not ready yet.", "Wait, and try again.")

    def _config(self) -> Config:
        with self._lock:
            if self._made is None:
                self._reach()
                from databricks.sdk.core import Config

                self._made = Config(
                    host=self._host, http_timeout_seconds=SIGN_IN_SECONDS, retry_timeout_seconds=SIGN_IN_SECONDS
                )
            return self._made

    def _reach(self) -> None:
        """Knock at the workspace: the SDK takes long to give up, and then says that credentials are missing.

        Raises Unavailable. Behind a proxy there is nothing to knock at.
        """
        parts = urlsplit(self._host)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        if parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
            return
        try:
            socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
        except OSError:
            is_reached = False
        else:
            is_reached = True
        if not is_reached:
            raise self._unreachable()

    def _unreachable(self) -> Unavailable:
        return Unavailable(f"Databricks at {self._host} cannot be reached.", hint=HINT)
