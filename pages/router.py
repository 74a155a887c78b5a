"""The only list of pages: identity, sidebar, then the page inside the guard."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import show_flashes
from pages.components.words import plain, words
from workbench_core import cached

HERE = Path(__file__).parent
STAGES = [
    ("data.py", "Data", ":material/table_view:", "Browse tables and folders, make sheets of them"),
    ("generate.py", "Generate", ":material/auto_awesome:", "Turn the rows of a sheet into questions and answers"),
    ("label.py", "Label", ":material/rate_review:", "Review pairs; every decision becomes a canonical label"),
    ("train.py", "Train", ":material/model_training:", "Train a model on pairs that pass both gates"),
    ("deploy.py", "Deploy", ":material/rocket_launch:", "Serve model versions, try them, roll back"),
    ("monitor.py", "Monitor", ":material/monitoring:", "Requests, latency, errors, drift, alerts and health"),
    ("improve.py", "Improve", ":material/trending_up:", "From feedback and errors to gaps, tasks and closure"),
]
TOOLS = [
    ("data_quality.py", "Data quality", ":material/verified:", "Rules on rows, which fail, and what was done about it"),
    ("prompt_templates.py", "Prompt templates", ":material/edit_note:", "Recipes that turn rows into prompts"),
    ("label_sets.py", "Label sets", ":material/label:", "The allowed answers of a label type, with colours and keys"),
    ("settings.py", "Settings", ":material/settings:", "Demo data, models, roles and health of the parts"),
]

st.set_page_config(page_title="Ontos ML Workbench", page_icon=str(HERE / "static/favicon.png"), layout="wide")
st.logo(str(HERE / "static/logo.svg"), size="large")
page = st.navigation(
    {
        "": [st.Page("home.py", title="Home", icon=":material/home:", default=True, help="The loop at a glance")],
        "Stages": [st.Page(file, title=title, icon=icon, help=sentence) for file, title, icon, sentence in STAGES],
        "Tools": [st.Page(file, title=title, icon=icon, help=sentence) for file, title, icon, sentence in TOOLS],
    },
    expanded=True,
)
with guard(way_out=True):
    show_flashes()
    with st.sidebar:
        role = cached.workbench().permissions.role_of(current_user())
        st.caption(f"{plain(current_user())} · {words(role)}")
    page.run()
