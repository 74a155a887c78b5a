"""Rules on the rows of sheets, what their runs found, and the queue of single items: `?sheet=<id>` opens a sheet.

`?show=overview|profile|rules|results|history|fix` chooses its part; `?run=` and `?check=` open a result, `?column=` a
column of the profile, `?rule=<id|new>` a rule, `?item=`, `?kind=`, `?state=`, `?of=` and `?search=` the fix queue.
"""

from __future__ import annotations

import streamlit as st

from pages.components.quality_sheet import show_sheet
from pages.components.quality_sheets import show_sheets
from workbench_core import cached

if sheet_id := st.query_params.get("sheet"):
    show_sheet(cached.workbench().sheets.get(sheet_id))
else:
    show_sheets()
