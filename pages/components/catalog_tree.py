"""The catalogs and schemas of the lake as a tree: a quick overview with counts that narrows the list beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from pages.components.data_navigation import go
from pages.components.words import plain
from workbench_core.catalog import UPLOADS, CatalogNode, SchemaNode

FEW = 12  # with up to so many catalogs and schemas everything is unfolded
MOST_SCHEMAS = 60


def short(name: str) -> str:
    """The last part of a name with dots."""
    return name.rsplit(".", 1)[-1]


def own_first(catalogs: Sequence[CatalogNode]) -> list[CatalogNode]:
    """The catalogs with the one, and in it the schema, that uploads go to in front."""
    arranged = [
        replace(one, schemas=tuple(sorted(one.schemas, key=lambda schema: schema.name != UPLOADS))) for one in catalogs
    ]
    return sorted(arranged, key=lambda one: not UPLOADS.startswith(f"{one.name}."))


def chosen_place(catalogs: Sequence[CatalogNode]) -> tuple[str, str]:
    """The catalog and schema (its full name) of the address; empty where there is none of this name."""
    catalog = next((one for one in catalogs if one.name == st.query_params.get("catalog")), None)
    if catalog is None:
        return "", ""
    schema = f"{catalog.name}.{st.query_params.get('schema', '')}"
    return catalog.name, schema if schema in {one.name for one in catalog.schemas} else ""


def catalog_tree(catalogs: Sequence[CatalogNode], *, search: str) -> None:
    """Draw the tree; a click on a catalog or schema puts it into the address and keeps the search."""
    catalog, schema = chosen_place(catalogs)
    is_small = sum(1 + len(one.schemas) for one in catalogs) <= FEW
    with st.container(key="data_tree", gap=None):
        total = sum(_count(one) for one in catalogs)
        _node("Everything", total, icon="database", key="data_all", is_chosen=not catalog, find=search)
        for one in catalogs:
            is_open = is_small or one.name == catalog
            _node(
                one.name, _count(one), icon=_catalog_icon(one, is_open=is_open), key=f"data_catalog_{one.name}",
                is_chosen=one.name == catalog and not schema, find=search, catalog=one.name,
            )  # fmt: skip
            for child in one.schemas[:MOST_SCHEMAS] if is_open else ():
                _schema(one.name, child, search=search, is_chosen=child.name == schema)
            if is_open and len(one.schemas) > MOST_SCHEMAS:
                st.caption(f"and {len(one.schemas) - MOST_SCHEMAS:,} more; search for them")


def _schema(catalog: str, schema: SchemaNode, *, search: str, is_chosen: bool) -> None:
    """One schema, indented below its catalog."""
    with st.container(horizontal=True, gap=None):
        st.space("small")
        _node(
            short(schema.name), _count(schema), icon="star" if schema.name == UPLOADS else "schema",
            key=f"data_schema_{schema.name}", is_chosen=is_chosen, find=search, catalog=catalog,
            schema=short(schema.name),
        )  # fmt: skip


def _node(name: str, count: int, *, icon: str, key: str, is_chosen: bool, **query: str) -> None:
    st.button(
        f"**:blue[{plain(name)}]** {count:,}" if is_chosen else f"{plain(name)} :gray[{count:,}]",
        type="tertiary",
        icon=f":material/{icon}:",
        key=key,
        on_click=go,
        kwargs={part: value for part, value in query.items() if value},
    )


def _count(node: CatalogNode | SchemaNode) -> int:
    return node.table_count + node.volume_count


def _catalog_icon(catalog: CatalogNode, *, is_open: bool) -> str:
    if UPLOADS.startswith(f"{catalog.name}."):
        return "star"
    if all(found.entry.is_demo for schema in catalog.schemas for found in schema.entries):
        return "science"
    return "folder_open" if is_open else "folder"
