"""A question with a picture, as a reviewer sees it: on the card, and in the conversation of the pair."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.browser.conftest import running, tab
from tests.review_data import ANN
from workbench_core.prompt_templates import AnswerSource, TemplateDraft
from workbench_core.settings import read_settings
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import GenerationRequest
from workbench_core.workbench import Workbench, open_workbench

PHOTOS = "main.review.photos"
DRAWN = "image => image.decode().then(() => image.naturalWidth > 0)"


def photograph() -> bytes:
    out = io.BytesIO()
    picture = Image.new("RGB", (600, 400), "seagreen")
    ImageDraw.Draw(picture).ellipse((150, 80, 450, 320), fill="gold")
    picture.save(out, "PNG")
    return out.getvalue()


def training_sheet(workbench: Workbench) -> str:
    """A training sheet over the files of a folder, to be labelled by hand."""
    workbench.lake.put_files(PHOTOS, {"a/board 1 (new).png": photograph()})
    draft = SheetDraft("Photos", PHOTOS, "path", image_columns=("path",))
    sheet = workbench.sheets.move(workbench.sheets.create(draft, by=ANN).id, "publish", by=ANN)
    asking = TemplateDraft("Photos", "kind", "What is {{ photo }}?", label_classes=("board", "other"))
    template = workbench.prompt_templates.create(asking, by=ANN)
    template = workbench.prompt_templates.move(template.id, "publish", by=ANN)
    request = GenerationRequest(sheet.id, template.id, {"photo": "path"}, answer_source=AnswerSource.MANUAL)
    made = workbench.training_sheets.generate(request, by=ANN)
    worker = workbench.worker()
    while worker.run_one():
        pass
    return made.id


@pytest.fixture
def served(tmp_path) -> Iterator[tuple[str, str]]:
    """The address of the app, and the training sheet in it."""
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(tmp_path), "WORKBENCH_USER": ANN}))
    made = training_sheet(opened)
    opened.close()
    with running(tmp_path) as url:
        yield url, made


def test_a_reviewer_sees_the_picture_of_a_question(served, chromium, expect):
    url, made = served
    with tab(chromium, url) as opened:
        page = opened.open(f"label?sheet={made}").page
        picture = page.locator("img.picture")
        expect(picture).to_be_visible()
        assert picture.evaluate(DRAWN)
        opened.press("h")
        page.get_by_role("tab", name="Conversation").click()
        opened.settle()
        small = page.get_by_alt_text("Picture board 1 (new).png")
        expect(small).to_be_visible()
        small.scroll_into_view_if_needed()
        assert small.evaluate(DRAWN)
        assert small.bounding_box()["height"] <= 240
        if folder := os.environ.get("WORKBENCH_TEST_PICTURES"):
            page.screenshot(path=str(Path(folder) / "pair.png"))
