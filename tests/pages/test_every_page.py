"""Every page opens for everybody: without data, with data, without rights, and with any nonsense in its address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import streamlit as st

from tests.core.improve_parts import MODEL, SOURCE, Improving
from tests.pages.conftest import ANN
from workbench_core import cached
from workbench_core.permissions import Role
from workbench_core.prompt_templates import STARTERS
from workbench_core.settings import read_settings
from workbench_core.sheets import SheetDraft
from workbench_core.workbench import Workbench, open_workbench

CLEO = "cleo@example.com"
TITLES = {
    "home": "Home",
    "data": "Data",
    "generate": "Generate",
    "label": "Label",
    "train": "Train",
    "deploy": "Deploy",
    "monitor": "Monitor",
    "improve": "Improve",
    "data_quality": "Data quality",
    "prompt_templates": "Prompt templates",
    "label_sets": "Label sets",
    "settings": "Settings",
}
# every page that opens one thing, and by what
OPENED = [
    ("data", {"sheet": "{}"}),
    ("data", {"table": "{}"}),
    ("data", {"table": "demo.images.pictures", "path": "{}"}),
    ("data", {"table": "demo.images.pictures", "file": "{}"}),
    ("data_quality", {"sheet": "{}"}),
    ("prompt_templates", {"template": "{}"}),
    ("label_sets", {"label_set": "{}"}),
    ("generate", {"training_sheet": "{}"}),
    ("generate", {"sheet": "{}"}),
    ("generate", {"template": "{}"}),
    ("label", {"sheet": "{}"}),
    ("train", {"job": "{}"}),
    ("train", {"model": "{}", "version": "1"}),
    ("train", {"model": MODEL, "version": "{}"}),
    ("train", {"training_sheet": "{}"}),
    ("train", {"retrain": "{}"}),
    ("train", {"compare": "{},{}"}),
    ("deploy", {"endpoint": "{}"}),
    ("monitor", {"endpoint": "{}"}),
    ("improve", {"gap": "{}"}),
    ("improve", {"task": "{}"}),
    ("improve", {"feedback": "{}"}),
]
# what only chooses among known words: anything else falls back to the usual choice
CHOSEN = [
    ("data", "view"), ("data", "find"), ("data", "catalog"), ("data", "status"), ("data", "show"),
    ("data", "page"), ("label", "status"),
    ("label", "search"),
    ("train", "view"), ("train", "status"), ("train", "open"), ("deploy", "tab"), ("deploy", "version"),
    ("monitor", "hours"), ("improve", "view"), ("improve", "model"), ("improve", "endpoint"), ("settings", "view"),
    ("data_quality", "search"), ("prompt_templates", "status"), ("prompt_templates", "search"),
    ("label_sets", "status"), ("label_sets", "search"), ("label_sets", "tag"), ("label_sets", "use_case"),
]  # fmt: skip
HOSTILE = {
    "quotes": "'\"’; DROP TABLE sheets; --",
    "sql": "' OR 1=1 UNION SELECT id FROM people WHERE ''='",
    "markup": '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">',
    "markdown": "![x](https://evil.example/x.png) [a](https://evil.example) :red[x] {{ 7 * 7 }} $x$ `",
    "path": "../../../../etc/passwd",
    "control": "a\x00b\nc\u202ed",
    "number": "-1e999",
    "digits": "9" * 30,
    "superscript": "²",
    "long": "x" * 8_000,
}


@pytest.fixture(scope="module", params=["empty", "demo"])
def prepared(request, tmp_path_factory) -> Iterator[Workbench]:
    """A workbench without anything in it, and one with the demo data."""
    opened = opened_in(tmp_path_factory.mktemp(request.param))
    if request.param == "demo":
        opened.demo.load(by=ANN)
    yield opened
    opened.close()


@pytest.fixture
def workbench(request, monkeypatch) -> Workbench:
    """What the pages see: the prepared workbench of the test."""
    name = "worked" if "worked" in request.fixturenames else "prepared"
    found: Workbench = request.getfixturevalue(name)
    monkeypatch.setattr(cached, "workbench", lambda: found)
    st.cache_data.clear()
    return found


@pytest.fixture(scope="module")
def addresses() -> dict[str, str]:
    """Filled with the world of the module: addresses by page and parameter."""
    return {}


@pytest.fixture(scope="module")
def worked(tmp_path_factory, addresses) -> Iterator[Workbench]:
    """A workbench in the middle of the loop: a gap of a trained version, and a labelling task to close it."""
    folder = tmp_path_factory.mktemp("worked")
    opened = opened_in(folder)
    world = Improving.over(opened, folder)
    task = world.html_task()
    world.judge([301, 304], rating="negative")
    del opened.__dict__["serving"]  # the pages ask the real one, which serves nothing yet
    addresses |= {
        "data?sheet": world.sheet_id,
        "data?table": SOURCE,
        "prompt_templates?template": world.template_id,
        "generate?training_sheet": task.training_sheet_id,
        "label?sheet": task.training_sheet_id,
        "train?training_sheet": opened.training_sheets.find(search="Plain mails")[0].id,
        "train?job": opened.training_jobs.find()[0].id,
        "train?retrain": MODEL,
        "train?open": f"{MODEL}/1",
        "improve?gap": task.gap_id,
        "improve?task": task.id,
        "improve?feedback": opened.feedback.find()[0].id,
    }
    yield opened
    opened.close()


def opened_in(folder) -> Workbench:
    """A workbench in a folder, with Cleo as somebody who may only look."""
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(folder), "WORKBENCH_USER": ANN}))
    opened.permissions.assign(CLEO, Role.DATA_CONSUMER, by=ANN)
    return opened


def titles(page) -> list[str]:
    return [title.value.replace("\\", "") for title in page.title]


def assert_is_calm(page) -> None:
    """One sentence about what is missing, and nothing of the inside."""
    assert not page.error, page.error[0].value
    assert len(page.warning) == 1, [warning.value for warning in page.warning]
    text = page.warning[0].value
    assert len(text) < 700, "nobody reads that"
    assert "Traceback" not in text
    assert "evil.example" not in text or "\\[" in text, "a text of the address became a picture or link"


# --- opening ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TITLES)
@pytest.mark.parametrize("user", [ANN, CLEO], ids=["administrator", "data_consumer"])
def test_every_page_opens(prepared, open_page, name, user):
    page = open_page(name, user=user)
    assert not page.error, page.error[0].value
    is_first_run = name == "home" and not prepared.sheets.find()
    assert titles(page) == ["Welcome" if is_first_run else TITLES[name]]


@pytest.mark.parametrize("user", [ANN, CLEO], ids=["administrator", "data_consumer"])
@pytest.mark.parametrize(
    "place",
    [
        "data?sheet", "data?table", "prompt_templates?template", "generate?training_sheet", "label?sheet",
        "train?training_sheet", "train?job", "train?retrain", "train?open", "improve?gap", "improve?task",
        "improve?feedback",
    ],
)  # fmt: skip
def test_everything_in_the_loop_opens(worked, addresses, open_page, place, user):
    name, param = place.split("?")
    page = open_page(name, user=user, **{param: addresses[place]})
    assert not page.error, page.error[0].value
    assert len(titles(page)) == 1


@pytest.mark.parametrize("param", ["training_sheet", "job", "retrain"])
def test_who_may_only_look_starts_nothing(worked, addresses, open_page, param):
    page = open_page("train", user=CLEO, **{param: addresses[f"train?{param}"]})
    assert [button.label for button in page.button if button.label == "Start training" and not button.disabled] == []


# --- what is not there -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "query"), OPENED, ids=[f"{name}?{'&'.join(query)}" for name, query in OPENED])
def test_an_unknown_id_is_one_calm_sentence(prepared, open_page, name, query):
    if name == "generate" and "training_sheet" not in query and not prepared.sheets.find():
        pytest.skip("without a sheet the page has no steps")
    page = open_page(name, **{key: value.replace("{}", "no-such-thing") for key, value in query.items()})
    assert_is_calm(page)


def test_what_was_deleted_is_told_calmly(worked, open_page):
    sheet = worked.sheets.create(SheetDraft("Passing", SOURCE, "mail_id"), by=ANN)
    template = worked.prompt_templates.create(STARTERS["Classification"], by=ANN)
    worked.sheets.move(sheet.id, "delete", by=ANN)
    worked.prompt_templates.delete(template.id, by=ANN)
    assert_is_calm(open_page("prompt_templates", template=template.id))
    page = open_page("data", sheet=sheet.id)
    assert_is_calm(page)
    page.button(key="way_out").click().run()
    assert not page.warning and not page.error and "way_out" not in [button.key for button in page.button]


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_hostile_ids_are_only_unknown_ids(worked, open_page, value):
    half = list(HOSTILE.values()).index(value) % 2  # each address meets half of the values
    for name, query in OPENED[half::2]:
        page = open_page(name, **{key: one.replace("{}", value) for key, one in query.items()})
        assert_is_calm(page)
    assert worked.sheets.find(), "nothing was dropped"


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_hostile_choices_fall_back(worked, open_page, value):
    half = list(HOSTILE.values()).index(value) % 2
    for name, param in CHOSEN[half::2]:
        page = open_page(name, **{param: value})
        assert not page.error, (name, param, page.error[0].value)
        assert len(page.warning) <= 1, (name, param)
    page = open_page("deploy", model=MODEL, version=value)
    assert not page.error, page.error[0].value
