"""The app: the router as a script, the worker beside it, and the routes that serve big things."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pages.components.errors import show_error

PICTURE_SIDE = 1280  # pixels; larger ones are made smaller before they travel

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


@asynccontextmanager
async def worker(_app: st.App) -> AsyncIterator[None]:
    """Do long work for as long as the server runs; what is left over resumes at the next start."""
    from workbench_core import cached  # its caches belong to the runtime, which exists only now

    workbench = cached.workbench()
    threads = workbench.worker()
    threads.start()
    try:
        yield
    finally:
        threads.stop()
        workbench.close()


async def picture(request: Request) -> Response:
    """A picture of a volume, made small; whatever is no readable picture inside a volume is simply not there.

    Everybody who may open the app may see its data; a hosted app is behind its platform's sign-in as a whole.
    """
    from workbench_core import cached

    catalog = cached.workbench().catalog
    volume, path = request.path_params["volume"], request.path_params["path"]
    content = await run_in_threadpool(catalog.thumbnail, volume, path, side=PICTURE_SIDE)
    if content is None:
        return Response(status_code=404)
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type="image/jpeg", headers=headers)


app = st.App(
    "pages/router.py",
    lifespan=worker,
    on_script_error=show_error,
    routes=[Route("/pictures/{volume}/{path:path}", picture)],
)
