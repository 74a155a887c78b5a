"""The app: the router as a script, the worker beside it, and the routes that serve big things."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import streamlit as st
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from pages.components.errors import show_error
from workbench_core import documents
from workbench_core.errors import BackendError, NotFound, NotPermitted, WorkbenchError

PICTURE_SIDE = 1280  # pixels; larger ones are made smaller before they travel
SOUND_HEAD = 4_096  # bytes by which a file is known as sound
SOUND_CHUNK = 1_000_000
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


async def sound(request: Request) -> Response:
    """Sound of a volume, whole or the part that `Range` asks for; what browsers do not play is simply not there."""
    from workbench_core import cached

    lake = cached.workbench().lake
    volume, path = request.path_params["volume"], request.path_params["path"]

    def look() -> tuple[str, int]:
        head = lake.read_start(volume, path, size_bytes=SOUND_HEAD)
        return documents.audio_type(head, path), lake.file(volume, path).size_bytes

    try:
        media_type, size = await run_in_threadpool(look)
    except WorkbenchError:
        return Response(status_code=404)
    if not media_type:
        return Response(status_code=404)
    headers = {"Accept-Ranges": "bytes", "Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    first, last, status = 0, size - 1, 200
    if asked := request.headers.get("range"):
        part = part_of(asked, size)
        if part is None:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
        (first, last), status = part, 206
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"

    def chunks() -> Iterator[bytes]:
        for offset in range(first, last + 1, SOUND_CHUNK):
            yield lake.read_start(volume, path, size_bytes=min(SOUND_CHUNK, last + 1 - offset), offset=offset)

    headers["Content-Length"] = str(last + 1 - first)
    return StreamingResponse(chunks(), status_code=status, media_type=media_type, headers=headers)


def part_of(asked: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a `Range` header with one range, both included; None when there are no such bytes."""
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", asked.strip())
    if found is None or not any(found.groups()):
        return None
    start, end = found.groups()
    if not start:
        return (max(size - int(end), 0), size - 1) if int(end) and size else None
    last = min(int(end), size - 1) if end else size - 1
    return (int(start), last) if int(start) <= last else None


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
    return await answer(write)


async def failing_values(request: Request) -> Response:
    """The failing values of a quality run as CSV, piece by piece; every download is in the history of its sheet."""
    from pages.components.identity import person_of
    from workbench_core import cached

    quality, run_id = cached.workbench().data_quality, request.path_params["run_id"]

    def open_file() -> StreamingResponse:
        file = quality.failures_file(run_id, by=person_of(request.headers))
        headers = {
            "Content-Disposition": f'attachment; filename="{file.name}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return StreamingResponse(file.pieces, media_type=FORMATS["csv"], headers=headers)

    return await answer(open_file)


async def export_file(request: Request) -> Response:
    """A file of an export, sent from the disk piece by piece; every download is in the history of its sheet."""
    from pages.components.identity import person_of
    from workbench_core import cached

    exports, asked = cached.workbench().exports, request.path_params

    def open_file() -> FileResponse:
        path = exports.file_path(asked["export_id"], asked["name"], by=person_of(request.headers))
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return FileResponse(path, filename=path.name, media_type="application/octet-stream", headers=headers)

    return await answer(open_file)


async def answer(make: Callable[[], Response]) -> Response:
    """Make a download beside the event loop; what goes wrong is a sentence with its status."""
    try:
        return await run_in_threadpool(make)
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
        Route("/sounds/{volume}/{path:path}", sound),
        Route("/sheets/{sheet_id}/rows.{format}", sheet_rows),
        Route("/quality/{run_id}/failing.csv", failing_values),
        Route("/exports/{export_id}/{name}", export_file),
    ],
)
