"""The cached reads of folders and files: listings are shared, because twenty thousand files are dear to copy."""

from __future__ import annotations

from dataclasses import replace

from workbench_core import cached
from workbench_core.cached import LAKE, reads
from workbench_core.catalog import FilePreview, FolderListing, browsing
from workbench_core.sheets import MAX_NAME, Sheet, SheetDraft, picture_files


@reads(LAKE, max_entries=20, is_shared=True)
def folder(revisions: tuple[int, ...], volume: str, path: str, search: str) -> FolderListing:
    """What lies in a folder of a volume, or below it and matches."""
    return cached.workbench().catalog.folder(volume, path, search=search)


@reads(LAKE, ttl="10m", max_entries=8)
def file_preview(revisions: tuple[int, ...], volume: str, path: str, page: int = 1) -> FilePreview:
    """One file of a volume, ready to show; of a PDF one page."""
    return cached.workbench().catalog.preview_file(volume, path, page=page)


@reads(LAKE, ttl="10m", max_entries=400)
def thumbnail(revisions: tuple[int, ...], volume: str, path: str, side: int = 320) -> bytes | None:
    """One picture of a volume, small."""
    return cached.workbench().catalog.thumbnail(volume, path, side=side)


@reads(LAKE, max_entries=20, is_shared=True)
def _paths(revisions: tuple[int, ...], volume: str) -> frozenset[str]:
    return frozenset(cached.workbench().lake.file_paths(volume))


def files_among(volume: str, paths: frozenset[str]) -> frozenset[str]:
    """Which of these paths are files of a volume."""
    return _paths(volume) & paths


@reads(LAKE)
def picture_volumes(revisions: tuple[int, ...], sheet: Sheet, column: str) -> tuple[str, ...]:
    """The volumes in which the pictures of a column are looked for."""
    return picture_files.volumes_for(cached.workbench().lake, sheet, column, among=files_among)


@reads(LAKE)
def folder_proposal(revisions: tuple[int, ...], volume: str, path: str) -> SheetDraft:
    """What a new sheet of a folder of a volume is filled with: its files, and those of the folders in it."""
    draft = cached.workbench().sheets.propose(volume)
    rows = browsing.below(path, dialect=cached.workbench().lake.dialect)
    return replace(draft, name=f"{draft.name}: {path}"[:MAX_NAME], filter=rows)
