"""The catalog: what tables and folders the lake holds, previews of them, and everything that comes into it."""

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
from workbench_core.ports import TABLE_ENDINGS, Column, FileEntry, FileInspection, IntakeColumn, IntakePlan, TableEntry

__all__ = [
    "MAX_PREVIEW_ROWS",
    "TABLE_ENDINGS",
    "TAGS",
    "UPLOADS",
    "Catalog",
    "CatalogEntry",
    "CatalogNode",
    "Column",
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
    "TableEntry",
    "Wishes",
    "table_name",
]
