"""Browse the lake and make sheets of it: `?view=lake|sheets|add`, `?table=<name>` and `?sheet=<id>` open one.

`?find=` searches the lake, `?catalog=` and `?schema=` narrow it, `?path=`, `?file=` and `?page=` open a part of a
folder, `?status=` and `?search=` filter the sheets, `?show=` chooses the part of an open sheet.
"""

from __future__ import annotations

import streamlit as st

from pages.components.intake import show_intake
from pages.components.lake_browser import add_button, show_lake
from pages.components.layout import page_header
from pages.components.sheet_list import show_sheets
from pages.components.sheet_view import open_sheet
from pages.components.table_details import show_source

if sheet_id := st.query_params.get("sheet"):
    open_sheet(sheet_id)
elif table := st.query_params.get("table"):
    show_source(table)
elif st.query_params.get("view") == "add":
    show_intake()
else:
    with page_header("Data", "Tables and folders of the lake, and the sheets that say how to work with them"):
        add_button()
    if st.query_params.get("view") == "sheets":
        show_sheets()
    else:
        show_lake()
