"""Pages and searches that stand in the address: what a link says, what a click writes, and what nobody can break."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from pages.components.words import counted, duration, file_size, percent


def page() -> None:
    import streamlit as st

    from pages.components.address import page_in_url, search_in_url

    search = search_in_url("find", label="Search", placeholder="")
    st.markdown(f"“{search}” {page_in_url(4)} {page_in_url(1, key='other')}")
    st.button("Next", on_click=lambda: st.query_params.update({"page": "3", "find": "by a link"}))


def shown(**query: str) -> str:
    app = AppTest.from_function(page)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app.markdown[0].value


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("1", 1), ("3", 3), ("4", 4), ("5", 4), ("999999999", 4), ("0", 1), ("-1", 1), ("", 1), ("x", 1), ("²", 1),
     ("٣", 1), ("1e3", 1), (" 2", 1), ("9" * 5_000, 1)],
)  # fmt: skip
def test_the_page_of_an_address_is_one_that_there_is(asked, expected):
    assert shown(page=asked) == f"“” {expected} 1"


def test_a_list_of_one_page_has_no_other(asked="7"):
    assert shown(other=asked) == "“” 1 1"


def test_what_is_searched_begins_at_its_first_page():
    app = AppTest.from_function(page)
    app.query_params["page"] = "4"
    app.run()
    assert app.markdown[0].value == "“” 4 1"
    app.text_input[0].input("board").run()
    assert app.markdown[0].value == "“board” 1 1"
    assert (app.query_params["find"], "page" in app.query_params) == ("board", False)


def test_a_link_changes_search_and_page_too():
    app = AppTest.from_function(page).run()
    app.text_input[0].input("board").run()
    app.button[0].click().run()
    assert app.markdown[0].value == "“by a link” 3 1"
    assert app.text_input[0].value == "by a link"


def test_numbers_are_said_as_people_say_them():
    assert [counted(1, "table"), counted(1_200, "file")] == ["1 table", "1,200 files"]
    assert [file_size(812), file_size(12_400), file_size(3_100_000)] == ["812 bytes", "12.4 kB", "3.1 MB"]
    assert [duration(8), duration(180), duration(5_400)] == ["8 s", "3 min", "1.5 h"]
    assert [percent(None), percent(0.123)] == ["–", "12.3 %"]
