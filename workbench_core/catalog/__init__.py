"""The catalog: what tables and folders the lake holds, previews of them, and everything that comes into it."""

from workbench_core.catalog.archives import is_archive
from workbench_core.catalog.changes import ChangePreview, SheetEffect
from workbench_core.catalog.import_folders import ImportableFile
from workbench_core.catalog.intake import Wishes
from workbench_core.catalog.model import (
    MAX_PREVIEW_ROWS,
    TAGS,
    UPLOADS,
    CatalogEntry,
    CatalogNode,
    FilePreview,
    FolderEntry,
    FolderListing,
    Incoming,
    IncomingFile,
    IncomingTable,
    Preview,
    SchemaNode,
    table_name,
)
from workbench_core.catalog.service import Catalog
from workbench_core.ports import (
    MAX_STREAMED_BYTES,
    MAX_WHOLE_BYTES,
    TABLE_ENDINGS,
    ChangeMode,
    Column,
    ColumnChange,
    ColumnFate,
    FileEntry,
    FileInspection,
    IntakeColumn,
    IntakePlan,
    TableChange,
    TableComparison,
    TableEntry,
)
from workbench_core.sheets.exports import EXPORTS

__all__ = [
    "EXPORTS",
    "MAX_PREVIEW_ROWS",
    "MAX_STREAMED_BYTES",
    "MAX_WHOLE_BYTES",
    "TABLE_ENDINGS",
    "TAGS",
    "UPLOADS",
    "Catalog",
    "CatalogEntry",
    "CatalogNode",
    "ChangeMode",
    "ChangePreview",
    "Column",
    "ColumnChange",
    "ColumnFate",
    "FileEntry",
    "FileInspection",
    "FilePreview",
    "FolderEntry",
    "FolderListing",
    "ImportableFile",
    "Incoming",
    "IncomingFile",
    "IncomingTable",
    "IntakeColumn",
    "IntakePlan",
    "Preview",
    "SchemaNode",
    "SheetEffect",
    "TableChange",
    "TableComparison",
    "TableEntry",
    "Wishes",
    "is_archive",
    "table_name",
]
