"""Grids: the only place that knows AgGrid. Rows have stable ids; only selections and single edits travel back.

The browser keeps an append-only log of edits (a nonce for each mount, a number for each edit) and sends the whole short
log, so that reruns that overtake each other lose nothing; Python gives every edit out once. Nothing a person typed
becomes JavaScript: columns get neutral names, and the marker that makes the library evaluate a string is broken up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

import streamlit as st

from pages.components.browser_log import Ledger
from pages.components.identity import theme
from pages.components.records import is_missing

if TYPE_CHECKING:
    import pandas as pd

Cell: TypeAlias = str | int | float | bool | None
Selection: TypeAlias = Literal["single", "multi"] | None
MAX_ROWS = 5_000  # above, the page fetches its part from the store
_ROW_HEIGHT = 38
_HEADER_HEIGHT = 40
_EXACT = 2**53  # integers beyond lose digits in a browser

_BADGE_COLORS: Mapping[str, tuple[str, str]] = {
    "green": ("#146C43", "#6CD9A0"),
    "blue": ("#1B54B8", "#9CC2FF"),
    "orange": ("#93370D", "#FFB78A"),
    "red": ("#B42318", "#FF9B91"),
    "violet": ("#5925DC", "#C3B5FD"),
    "gray": ("#475467", "#A9B6C9"),
}
_PARAMS: Mapping[str, Mapping[str, str]] = {
    "light": {
        "backgroundColor": "#FFFFFF", "foregroundColor": "#0F172A", "headerBackgroundColor": "#F4F6F9",
        "headerTextColor": "#475467", "borderColor": "#D5DBE5", "oddRowBackgroundColor": "#FFFFFF",
        "rowHoverColor": "#EEF3FC", "selectedRowBackgroundColor": "#E3ECFB", "accentColor": "#1F5FD1",
        "browserColorScheme": "light",
    },
    "dark": {
        "backgroundColor": "#0F1520", "foregroundColor": "#E8EDF5", "headerBackgroundColor": "#182130",
        "headerTextColor": "#A9B6C9", "borderColor": "#2E3A4E", "oddRowBackgroundColor": "#0F1520",
        "rowHoverColor": "#182538", "selectedRowBackgroundColor": "#1B2C4A", "accentColor": "#7FB0FF",
        "browserColorScheme": "dark",
    },
}  # fmt: skip
_CSS: Mapping[str, Mapping[str, str]] = {
    "@font-face": {"font-family": "Inter", "src": "url(/app/static/inter.woff2)", "font-weight": "100 900"},
    ".ag-root-wrapper, .ag-root-wrapper .ag-cell, .ag-root-wrapper .ag-header-cell, .ag-popup": {
        "font-family": "Inter, sans-serif !important"
    },
    ".ag-root-wrapper": {"border-radius": "8px !important"},
    ".ag-root-wrapper .ag-cell-wrapper": {"height": "100%", "align-items": "center"},
    ".ag-root-wrapper .ag-cell": {"font-size": "13px", "line-height": "36px"},
    ".ag-cell.ag-right-aligned-cell": {"font-variant-numeric": "tabular-nums"},
    ".ag-root-wrapper .ag-cell.mono": {"font-family": "ui-monospace, monospace !important", "font-size": "12px"},
    ".ag-header-cell-text": {"font-weight": "600"},
}
_COLLECT = """function({streamlitRerunEventTriggerName: trigger, eventData: event}) {
  const w = window; w.__nonce ??= Math.random().toString(36).slice(2); w.__seq ??= 0; w.__log ??= [];
  if (trigger === 'cellValueChanged' && event.oldValue !== event.newValue) {
    w.__log.push({seq: ++w.__seq, row: event.node.id, col: event.column.colId,
                  old: event.oldValue ?? null, new: event.newValue ?? null});
  }
  if (trigger === 'rowDragEnd') {
    const order = []; event.api.forEachNode(node => order.push(node.id));
    w.__log.push({seq: ++w.__seq, order});
  }
  while (w.__log.length > 500) w.__log.shift();
  return {nonce: w.__nonce, edits: w.__log, selected: event.api.getSelectedNodes().map(node => node.id)};
}"""
_BADGE = """class {
  init(params) { this.span = document.createElement('span'); this.refresh(params); }
  refresh(params) {
    const value = params.value ?? '', color = (params.colors || {})[value] || params.other;
    this.span.textContent = value;
    this.span.style.cssText = value === '' ? '' : `background:${color}1f;color:${color};border:1px solid ${color}55;` +
      'padding:1px 9px;border-radius:999px;font-size:12px;font-weight:600;line-height:18px;display:inline-block';
    return true;
  }
  getGui() { return this.span; }
}"""
_PICTURE = """class {
  init(params) { this.box = document.createElement('span'); this.refresh(params); }
  refresh(params) {
    const address = params.value ?? '';
    this.box.replaceChildren();
    if (!address.startsWith('/pictures/')) { this.box.textContent = address; return true; }
    const picture = document.createElement('img');
    const name = address.split('/').pop();
    try { picture.alt = decodeURIComponent(name); } catch { picture.alt = name; }
    picture.src = address; picture.loading = 'lazy';
    picture.style.cssText = 'height:60px;width:84px;object-fit:cover;border-radius:6px;display:block;margin-top:4px';
    picture.onerror = () => { this.box.textContent = picture.alt; };
    this.box.append(picture);
    return true;
  }
  getGui() { return this.box; }
}"""
_PICTURE_ROW_HEIGHT = 68
_OPEN_LIST = """event => setTimeout(() => {
  const field = document.querySelector('.ag-cell-inline-editing .ag-picker-field-wrapper');
  const isOpen = document.querySelector('.ag-list-item');
  if (field && !isOpen) field.dispatchEvent(new MouseEvent('mousedown', {bubbles: true}));
}, 60)"""  # one click or key opens the list, where the library wants a second one


@dataclass(frozen=True, slots=True)
class GridColumn:
    """One column: which column of the frame, its title, and how wide and in which form it is shown.

    `width` is in pixels; 0 shares what is left (`share` says how much of it, `least` is its minimum). `kind` is text,
    number, mono, badge, check (a box for yes or no) or picture (addresses below /pictures/); `colors` maps the values
    of a badge to green, blue, orange, red, violet or gray. With `options` an editable cell offers a list, with
    `is_long` a larger field.
    """

    name: str
    title: str = ""
    width: int = 0
    share: int = 1
    least: int = 140
    kind: Literal["text", "number", "mono", "badge", "check", "picture"] = "text"
    colors: Mapping[str, str] = field(default_factory=dict)
    is_pinned: bool = False
    is_editable: bool = False
    is_long: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CellEdit:
    """One edited cell. `before` is what the person saw: compare it to notice that the row changed meanwhile."""

    row_id: str
    column: str
    before: Cell
    after: Cell


@dataclass(frozen=True, slots=True)
class _LoggedEdit:
    number: int
    edit: CellEdit | None = None
    order: tuple[str, ...] = ()


_LEDGER: Ledger[_LoggedEdit, None] = Ledger()


@dataclass(frozen=True, slots=True)
class Edits:
    """What came back from a grid: edits not given out before, the ids of the selected rows, and a new order of rows."""

    cells: tuple[CellEdit, ...] = ()
    selected: tuple[str, ...] = ()
    order: tuple[str, ...] = ()


def read_grid(
    frame: pd.DataFrame,
    *,
    key: str,
    row_id: str,
    columns: Sequence[GridColumn],
    selection: Selection = None,
    height: int = 0,
    can_sort: bool = True,
) -> list[str]:
    """Show rows that cannot be changed; give the ids (column `row_id`) of those that are selected.

    Without a `height` in pixels it is as high as its rows, 480 at most. Frames have `MAX_ROWS` rows at most. Rows that
    are one page of more should not be sorted or filtered here (`can_sort`): that would be true of the page only.
    """
    edits = _grid(frame, key=key, row_id=row_id, columns=columns, selection=selection, height=height, can_sort=can_sort)
    return list(edits.selected)


def edit_grid(
    frame: pd.DataFrame,
    *,
    key: str,
    row_id: str,
    columns: Sequence[GridColumn],
    selection: Selection = None,
    height: int = 0,
    save: Callable[[Sequence[CellEdit]], None] | None = None,
    arrange: Callable[[Sequence[str]], None] | None = None,
    can_sort: bool = True,
) -> Edits:
    """Show rows whose editable columns can be changed; give every edit once.

    Hand edits over to `save`: it is called with the new ones before anything else can interrupt the run. The server's
    data always wins: an edit that is not saved is gone with the next run. With `arrange` the rows can be dragged, and
    it is called with the ids of all rows in their new order; such a grid cannot be sorted or filtered.
    """
    return _grid(
        frame, key=key, row_id=row_id, columns=columns, selection=selection, height=height, save=save, arrange=arrange,
        can_sort=can_sort and arrange is None,
    )  # fmt: skip


def clear_selection(key: str) -> None:
    """Unselect all rows of a grid, after a bulk action for example."""
    st.session_state[f"_{key}_round"] = int(st.session_state.get(f"_{key}_round", 0)) + 1


def _grid(
    frame: pd.DataFrame,
    *,
    key: str,
    row_id: str,
    columns: Sequence[GridColumn],
    selection: Selection,
    height: int,
    save: Callable[[Sequence[CellEdit]], None] | None = None,
    arrange: Callable[[Sequence[str]], None] | None = None,
    can_sort: bool = True,
) -> Edits:
    from st_aggrid import AgGrid, JsCode

    shown = _browser_frame(frame.head(MAX_ROWS), row_id, columns)
    mounted = f"{key}_{st.session_state.get(f'_{key}_round', 0)}"
    answer = AgGrid(
        shown,
        gridOptions=_options(columns, selection, is_ordered=arrange is not None, can_sort=can_sort),
        key=mounted,
        height=height or min(480, _HEADER_HEIGHT + 4 + _row_height(columns) * max(len(shown), 3)),
        allow_unsafe_jscode=True,
        theme=_theme(),
        custom_css={rule: dict(style) for rule, style in _CSS.items()},
        data_return_mode="CUSTOM",
        custom_jscode_for_grid_return=JsCode(_COLLECT),
        enable_enterprise_modules=False,
        use_json_serialization=False,  # the fallback would put row values where strings are evaluated
        update_on=["cellValueChanged", "rowDragEnd", ("selectionChanged", 120)],
        server_sync_strategy="server_wins",
    )
    returned = getattr(answer, "raw_data", None) or st.session_state.get(mounted) or {}
    return _returned(returned if isinstance(returned, dict) else {}, shown, columns, save=save, arrange=arrange)


def _returned(
    raw: Mapping[str, object],
    shown: pd.DataFrame,
    columns: Sequence[GridColumn],
    *,
    save: Callable[[Sequence[CellEdit]], None] | None,
    arrange: Callable[[Sequence[str]], None] | None = None,
) -> Edits:
    """The new edits of the log, the selected rows that are still there, and the last new order of all rows."""
    names = {f"c{number}": column.name for number, column in enumerate(columns) if column.is_editable}
    log, chosen, given = raw.get("edits"), raw.get("selected"), list[CellEdit]()
    orders: list[tuple[str, ...]] = []
    present = set(shown["id"])
    edits = [edit for entry in (log if isinstance(log, list) else []) if (edit := _edit(entry, names))]

    def act(fresh: Sequence[_LoggedEdit]) -> Sequence[None]:
        given.extend(each.edit for each in fresh if each.edit)
        orders.extend(each.order for each in fresh if set(each.order) == present)
        if save and given:
            save(given)
        if arrange and orders:
            arrange(orders[-1])
        return ()

    _LEDGER.once(str(raw.get("nonce")), edits, act)
    rows = (str(row) for row in chosen) if isinstance(chosen, list) else ()
    return Edits(tuple(given), tuple(row for row in rows if row in present), orders[-1] if orders else ())


def _edit(entry: object, names: Mapping[str, str]) -> _LoggedEdit | None:
    """An entry of the log; nothing when it is none, because a browser may send anything."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("seq"), int):
        return None
    if isinstance(order := entry.get("order"), list):
        return _LoggedEdit(entry["seq"], order=tuple(map(str, order)))
    if entry.get("col") not in names:
        return None
    edit = CellEdit(str(entry.get("row")), names[entry["col"]], _cell(entry.get("old")), _cell(entry.get("new")))
    return _LoggedEdit(entry["seq"], edit)


def _row_height(columns: Sequence[GridColumn]) -> int:
    return _PICTURE_ROW_HEIGHT if any(column.kind == "picture" for column in columns) else _ROW_HEIGHT


def _options(
    columns: Sequence[GridColumn], selection: Selection, *, is_ordered: bool = False, can_sort: bool = True
) -> dict[str, object]:
    from st_aggrid import JsCode

    definitions = [_definition(number, column) for number, column in enumerate(columns)]
    if not can_sort:
        definitions = [{**definition, "filter": False} for definition in definitions]
    options: dict[str, object] = {
        "columnDefs": definitions,
        "defaultColDef": {"filter": can_sort, "sortable": can_sort, "resizable": True},
        "getRowId": JsCode("params => params.data.id"),
        "rowHeight": _row_height(columns),
        "headerHeight": _HEADER_HEIGHT,
        "stopEditingWhenCellsLoseFocus": True,
        "tooltipShowDelay": 300,
        "animateRows": False,
        "suppressFieldDotNotation": True,
        "enableCellTextSelection": not any(column.is_editable for column in columns),
    }
    if any(column.options for column in columns):
        options["onCellEditingStarted"] = JsCode(_OPEN_LIST)
    if is_ordered:
        options |= {"rowDragManaged": True, "suppressMoveWhenRowDragging": False}
        definitions[0]["rowDrag"] = True
    if selection == "multi":
        options["rowSelection"] = {"mode": "multiRow", "checkboxes": True, "headerCheckbox": True}
        options["selectionColumnDef"] = {"pinned": "left", "width": 44, "sortable": False}
    elif selection == "single":
        options["rowSelection"] = {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True}
    return options


def _definition(number: int, column: GridColumn) -> dict[str, object]:
    from st_aggrid import JsCode

    made: dict[str, object] = {
        "field": f"c{number}",
        "headerName": _inert(column.title or column.name),
        "headerTooltip": _inert(column.title or column.name),
        "editable": column.is_editable,
    }
    made |= {"width": column.width} if column.width else {"flex": column.share, "minWidth": column.least}
    if column.is_pinned:
        made["pinned"] = "left"
    if column.kind == "number":
        made |= {"type": "rightAligned", "filter": "agNumberColumnFilter"}
    elif column.kind == "mono":
        made["cellClass"] = "mono"
    elif column.kind == "check":
        made |= {"cellRenderer": "agCheckboxCellRenderer", "cellEditor": "agCheckboxCellEditor"}
    elif column.kind == "picture":
        made |= {"cellRenderer": JsCode(_PICTURE), "autoHeight": False, "filter": False, "sortable": False}
    elif column.kind == "badge":
        dark = int(theme() == "dark")
        made["cellRenderer"] = JsCode(_BADGE)
        made["cellRendererParams"] = {
            "colors": {_inert(name): _BADGE_COLORS[color][dark] for name, color in column.colors.items()},
            "other": _BADGE_COLORS["gray"][dark],
        }
    if column.kind in {"text", "mono"}:
        made["tooltipField"] = f"c{number}"
    if column.options:
        made |= {"cellEditor": "agSelectCellEditor", "cellEditorParams": {"values": [*map(_inert, column.options)]}}
        made["singleClickEdit"] = True
    elif column.is_long:
        made |= {"cellEditor": "agLargeTextCellEditor", "cellEditorPopup": True}
    return made


def _inert(text: str) -> str:
    """Break up the marker behind which the library looks for code."""
    return re.sub(":(?=:)", ": ", text)


def _theme() -> object:
    from st_aggrid import StAggridTheme

    return StAggridTheme(base="quartz").withParams(fontSize=13, wrapperBorderRadius=8, **_PARAMS[theme()])


def _browser_frame(frame: pd.DataFrame, row_id: str, columns: Sequence[GridColumn]) -> pd.DataFrame:
    """The columns under neutral names, with values every browser can show; `id` holds the row ids as text."""
    import pandas as pd

    made: dict[str, pd.Series] = {"id": frame[row_id].astype(str)}
    made |= {f"c{number}": _browser_values(frame[column.name]) for number, column in enumerate(columns)}
    return pd.DataFrame(made).reset_index(drop=True)


def _browser_values(values: pd.Series) -> pd.Series:
    """Text, numbers, booleans and nothing else: other types blank the whole grid without an error."""
    import pandas as pd

    kind = getattr(values.dtype, "kind", "O")
    if kind == "M":
        times: pd.Series = values.dt.strftime("%Y-%m-%d %H:%M").astype(object).where(values.notna(), None)
        return times
    if kind == "i" and len(values) and values.abs().max() > _EXACT:
        return values.astype("str")
    if kind in "iufb" and not hasattr(values.dtype, "na_value"):
        return values
    cells = [_cell(value) for value in values]
    if len({type(cell) for cell in cells if cell is not None}) > 1:
        cells = [None if cell is None else str(cell) for cell in cells]
    return pd.Series(cells, index=values.index, dtype=object)


def _cell(value: object) -> Cell:
    import numpy as np

    if isinstance(value, list | dict | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    if is_missing(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else str(value)
