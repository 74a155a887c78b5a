"""The review card alone on a page, with everything that it can show: what the browser tests of the card open.

`?sheet=` is a training sheet; `?look=` is JSON: classes, schema, many (further classes), others,
comments, limit, locked.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pages.components.review_card import (
    CardClass,
    CardView,
    card_window,
    carry_out_decisions,
    comments_asked,
    review_card,
)
from workbench_core import cached
from workbench_core.pairs import PENDING

pairs, sheets = cached.workbench().pairs, cached.workbench().training_sheets
user = st.query_params.get("user") or cached.workbench().settings.local_user
look = json.loads(st.query_params.get("look", "{}"))
sheet = sheets.get(st.query_params["sheet"])
carry_out_decisions(sheet.id, pairs, by=user)
window = card_window(
    sheet.id, "pending", lambda after, limit: pairs.queue(sheet.id, PENDING, after=after, limit=limit),
    limit=look.get("limit", 10),
)  # fmt: skip
counts = pairs.counts(sheet.id)
kind = sheet.template.answer_kind
classes = tuple(CardClass(**each) for each in look.get("classes", [])) or sheet.template.label_classes
classes += tuple(
    CardClass(f"class {n}", f"صنف رقم {n}" if n % 2 else "", "#1F5FD1", description="word " * 1000)
    for n in range(look.get("many", 0))
)
others = [SimpleNamespace(label_type=name, answer=answer) for name, answer in look.get("others", {}).items()]
ids = [pair.id for pair in window.pairs]
asked = review_card(
    window.pairs,
    CardView(
        training_sheet_id=sheet.id,
        queue="pending",
        kind=kind,
        classes=classes,
        pending=counts.pending,
        total=counts.total,
        is_cut=window.is_cut,
        after=window.after,
        locked=look.get("locked", ""),
        done_title="Everything is reviewed",
        drafts=pairs.drafts(ids, by=user),
        other_labels={pair.item_ref: others for pair in window.pairs},
        schema=look.get("schema"),
        comments=dict.fromkeys(ids, look.get("comments", 0)),
    ),
    service=pairs,
    by=user,
)
st.markdown(f"Pending: {counts.pending}")
if asked:
    st.markdown(f"History of {pairs.get(asked).item_ref}")
if comments := comments_asked(sheet.id):
    st.markdown(f"Comments on {pairs.get(comments).item_ref}")
