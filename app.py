"""The app: the router as a script, the worker beside it, and the routes that serve big things."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import streamlit as st
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from pages.components.errors import show_error
from workbench_core.errors import BackendError, NotFound, NotPermitted, WorkbenchError

PICTURE_SIDE = 1280  # pixels; larger ones are made smaller before they travel
LEFT_OVER_AFTER = 3600  # seconds; a file whose download broke off is removed by a later one
FORMATS = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
STATUS: Mapping[type[WorkbenchError], int] = {NotFound: 404, NotPermitted: 403, BackendError: 503}
log = logging.getLogger(__name__)

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


async def sheet_rows(request: Request) -> Response:
    """The rows of a sheet as a file to download: joined, filtered and sampled; every download is in the history.

    `?set_aside=left_out` leaves out the items that are set aside.
    """
    from pages.components.identity import person_of
    from workbench_core import cached

    workbench, format = cached.workbench(), request.path_params["format"]
    sheet_id, leaves_out = request.path_params["sheet_id"], request.query_params.get("set_aside") == "left_out"
    folder = workbench.settings.home / "downloads"

    def write() -> FileResponse:
        remove_left_overs(folder)
        excluded = workbench.data_quality.quarantine.refs(sheet_id) if leaves_out else ()
        made = workbench.sheets.export_file(
            sheet_id, format, folder, by=person_of(request.headers), excluded_refs=excluded
        )
        return FileResponse(
            made.path,
            filename=made.file_name,
            media_type=FORMATS[format],
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
            background=BackgroundTask(made.path.unlink, missing_ok=True),
        )

    if format not in FORMATS:
        return PlainTextResponse("Rows can be downloaded as CSV or Parquet.", status_code=404)
    try:
        return await run_in_threadpool(write)
    except WorkbenchError as error:
        status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 409)
        return PlainTextResponse(f"{error.message} {error.hint}".strip(), status_code=status)
    except Exception:
        log.exception("A download failed")
        return PlainTextResponse("Something unexpected happened; it stands in the log.", status_code=500)


def remove_left_overs(folder: Path) -> None:
    """Remove files of downloads that broke off."""
    for file in folder.glob("*"):
        with suppress(FileNotFoundError):  # another download may have ended, or removed it, just now
            if time.time() - file.stat().st_mtime > LEFT_OVER_AFTER:
                file.unlink()


app = st.App(
    "pages/router.py",
    lifespan=worker,
    on_script_error=show_error,
    routes=[
        Route("/pictures/{volume}/{path:path}", picture),
        Route("/sheets/{sheet_id}/rows.{format}", sheet_rows),
    ],
)
