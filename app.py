"""The app: the router as a script, the worker beside it, and the routes that serve big things."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

from pages.components.errors import show_error

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


app = st.App("pages/router.py", lifespan=worker, on_script_error=show_error)
