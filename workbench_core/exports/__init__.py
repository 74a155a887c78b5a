"""Training sheets as files for tuning: governed, divided without leaks, streamed, with a manifest beside them."""

from workbench_core.exports.files import FileLayout, WrittenFiles, file_stem, write_files
from workbench_core.exports.formats import COLUMNS, ExportPair, Turn, line_of, turns_from
from workbench_core.exports.reading import Tally
from workbench_core.exports.requests import (
    DEFAULT_SOURCES,
    Export,
    ExportFormat,
    ExportPreview,
    ExportRequest,
    PartShares,
    WrittenFile,
)
from workbench_core.exports.service import EXPORT_KIND, EXPORTABLE, Exports, not_exportable
from workbench_core.exports.splits import assign_parts, quotas

__all__ = [
    "COLUMNS",
    "DEFAULT_SOURCES",
    "EXPORTABLE",
    "EXPORT_KIND",
    "Export",
    "ExportFormat",
    "ExportPair",
    "ExportPreview",
    "ExportRequest",
    "Exports",
    "FileLayout",
    "PartShares",
    "Tally",
    "Turn",
    "WrittenFile",
    "WrittenFiles",
    "assign_parts",
    "file_stem",
    "line_of",
    "not_exportable",
    "quotas",
    "turns_from",
    "write_files",
]
