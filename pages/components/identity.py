"""Who is signed in: the only reader of `st.user` and `st.context`."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from workbench_core import cached


def current_user() -> str:
    """The e-mail of the signed-in person; on a laptop without sign-in, the login name of whoever runs the app.

    A hosted app has the signed-in person in `st.user`; without one, nobody gets the rights of the local user there.
    """
    return _person(st.user.get("email"))


def person_of(headers: Mapping[str, str]) -> str:
    """The same for a request beside the pages, by the headers that the platform in front is trusted with."""
    trusted = st.get_option("server.trustedUserHeaders") or {}
    names = [header for header, field in trusted.items() if field == "email"]
    return _person(next((headers[name] for name in names if headers.get(name)), None))


def _person(email: object) -> str:
    if email:
        return str(email)
    settings = cached.workbench().settings
    return settings.local_user if settings.backend == "local" else ""


def theme() -> str:
    """`light` or `dark`, as the browser shows it now."""
    return st.context.theme.type or "light"
