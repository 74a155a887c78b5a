"""The Train page: what a person sees and does there, from choosing a training sheet to comparing two versions."""

from __future__ import annotations

import pytest

from tests.core.training_parts import WordServing, WordTrainer
from tests.pages.conftest import ANN, labels, work
from tests.review_data import mails, training_sheet
from workbench_core.pairs import Decision, PairFilter
from workbench_core.permissions import Role
from workbench_core.training_jobs import JobRequest
from workbench_core.usage import UsageRules, Use
from workbench_core.workbench import Workbench

LEA = "lea@example.com"


@pytest.fixture
def trainer(workbench, monkeypatch):
    """A trainer and a serving in memory, so that a training takes no time; the real ones have their own tests."""
    made = WordTrainer()
    monkeypatch.setitem(workbench.__dict__, "trainers", (made,))
    monkeypatch.setitem(workbench.__dict__, "serving", WordServing(made, workbench.clock))
    return made


def approve(workbench: Workbench, sheet_id: str, count: int) -> None:
    found = workbench.pairs.find(sheet_id, PairFilter(), limit=1000)
    pending = [pair for pair in found if pair.review_status == "pending"][:count]
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in pending], by=ANN)


@pytest.fixture
def sheet(workbench, tmp_path, trainer):
    """120 mails, all but two approved, five of them not allowed for training."""
    made = training_sheet(workbench, mails(workbench, tmp_path, count=120))
    approve(workbench, made.id, 118)
    chosen = workbench.pairs.find(made.id, PairFilter(), limit=5)
    rules = UsageRules(frozenset({Use.EVALUATION}), frozenset({Use.TRAINING, Use.VALIDATION}), reason="patient data")
    workbench.pairs.set_usage([pair.id for pair in chosen], rules, by=ANN)
    return made


def train(workbench: Workbench, sheet_id: str, **changes) -> str:
    job = workbench.training_jobs.submit(JobRequest(sheet_id, "mail-class", "words", **changes), by=ANN)
    work(workbench)
    return job.id


def tiles(page) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def told(page) -> str:
    """All text of the page."""
    texts = [
        element.value for kind in ("title", "markdown", "caption", "error", "warning") for element in page.get(kind)
    ]
    return "\n".join(texts).replace("\\", "")


def address(page, name: str) -> str:
    """A value that stands in the address."""
    value = page.query_params[name]
    return value if isinstance(value, str) else value[0]


def click(page, label):
    return next(button for button in page.button if button.label == label).click().run()


# --- choosing and starting -----------------------------------------------------------------------------------------


def test_an_empty_page_says_what_to_do_first(open_page):
    page = open_page("train")
    assert "No model has been trained yet" in told(page)
    assert "New training job" in labels(page.button)
    assert "No training sheet yet" in told(click(page, "New training job"))


def test_the_choice_of_training_sheets_says_which_are_ready(open_page, workbench, sheet):
    other = training_sheet(workbench, sheet.sheet_id, name="Second look", label_type="second")
    approve(workbench, other.id, 4)
    page = open_page("train", new="1")
    lines = {line["Training sheet"]: line for line in page.dataframe[0].value.to_dict("records")}
    assert (lines["Mail class"]["Ready"], lines["Mail class"]["Allowed for training"]) == ("Ready", 113)
    assert lines["Second look"]["Ready"] == "6 more approved pairs needed"


def test_tr_1_the_gate_explains_every_exclusion_before_anything_starts(open_page, sheet):
    page = open_page("train", training_sheet=sheet.id)
    assert tiles(page) == {"Pairs": "120", "Approved": "118", "Eligible": "113"}
    assert "5 training prohibited: patient data" in told(page)
    assert "2 not reviewed yet" in told(page)
    assert "For example m000" in told(page)
    assert "test. All pairs of an item are in the same part." in told(page)
    assert not page.button(key=f"train_{sheet.id}__start").disabled


def test_starting_a_job_leads_to_it_and_its_end_to_the_version(open_page, workbench, sheet, trainer):
    page = open_page("train", training_sheet=sheet.id)
    page.text_input(key=f"train_{sheet.id}__name").set_value("mail-sorter").run()
    page.number_input(key=f"train_{sheet.id}__words_rounds").set_value(2).run()
    page.slider(key=f"train_{sheet.id}__shares").set_value((60, 80)).run()
    page.number_input(key=f"train_{sheet.id}__seed").set_value(7).run()
    page = click(page, "Start training")

    (job,) = workbench.training_jobs.find()
    assert address(page, "job") == job.id
    assert "Queued" in told(page)
    asked = job.request
    assert (asked.model_name, asked.parameters["rounds"], asked.seed) == ("mail-sorter", 2, 7)
    assert (asked.shares.train, asked.shares.validation) == (0.6, 0.2)
    work(workbench)
    page = page.run()
    assert "Succeeded" in told(page)
    page = click(page, "Open v1")
    assert page.title[0].value.replace("\\", "") == "mail-sorter v1"


def test_acceptance_2_too_few_pairs_cannot_be_started_and_the_reason_is_shown(open_page, workbench, tmp_path, trainer):
    made = training_sheet(workbench, mails(workbench, tmp_path))
    approve(workbench, made.id, 9)
    page = open_page("train", training_sheet=made.id)
    assert "Only 9 pairs are approved and allowed for training" in page.error[0].value
    assert page.button(key=f"train_{made.id}__start").disabled


def test_a_trainer_that_is_not_ready_is_shown_with_what_it_needs(open_page, workbench, sheet, trainer, monkeypatch):
    missing = WordTrainer()
    missing.name, missing.title, missing.reason = "deep", "Deep counter", "The environment is not installed."
    monkeypatch.setitem(workbench.__dict__, "trainers", (trainer, missing))
    page = open_page("train", training_sheet=sheet.id)
    (ready,) = page.radio
    assert ready.options == ["Word counter"]
    assert "Deep counter" in told(page)
    assert "The environment is not installed. Install it." in told(page)


def test_what_the_service_refuses_is_a_calm_sentence(open_page, workbench, sheet):
    page = open_page("train", training_sheet=sheet.id)
    page.text_input(key=f"train_{sheet.id}__name").set_value("Mail Sorter!").run()
    page = click(page, "Start training")
    assert "“Mail Sorter!” cannot be a model name." in page.error[0].value
    assert workbench.training_jobs.find() == []


def test_a_person_without_the_role_sees_why_nothing_can_be_started(open_page, workbench, sheet):
    workbench.permissions.assign(LEA, Role.LABELER, by=ANN)
    page = open_page("train", user=LEA, training_sheet=sheet.id)
    assert page.button(key=f"train_{sheet.id}__start").disabled
    assert "Your role, labeler, may not train models." in told(page)


@pytest.mark.parametrize(
    "query",
    [
        {"training_sheet": "ts-none"},
        {"job": "job-none"},
        {"model": "none", "version": "1"},
        {"model": "none", "version": "one"},
        {"compare": "a,b"},
        {"compare": ""},
        {"retrain": "none"},
    ],
    ids=str,
)
def test_an_address_that_leads_nowhere_is_a_calm_sentence(open_page, query):
    page = open_page("train", **query)
    assert len(page.warning) == 1
    assert "unexpected" not in told(page)


# --- jobs ----------------------------------------------------------------------------------------------------------


def test_the_list_shows_jobs_and_filters_by_status(open_page, workbench, sheet, trainer):
    train(workbench, sheet.id)
    waiting = workbench.training_jobs.submit(JobRequest(sheet.id, "mail-class", "words", seed=9), by=ANN)
    page = open_page("train")
    lines = page.dataframe[0].value
    assert list(lines["Status"]) == ["Queued", "Succeeded"]
    assert list(lines["Progress"]) == [0.0, 1.0]
    assert page.get("progress"), "what waits shows its progress"
    page = open_page("train", status="succeeded")
    assert list(page.dataframe[0].value["Status"]) == ["Succeeded"]
    workbench.training_jobs.cancel(waiting.id, by=ANN)


def test_a_job_shows_its_log_candidates_and_data(open_page, workbench, sheet):
    job_id = train(workbench, sheet.id)
    page = open_page("train", job=job_id)
    assert "Registered mail-class v1" in told(page)
    assert "Round 3 is done." in told(page)
    assert list(page.dataframe[0].value["Chosen"]) == ["✓"]
    page = open_page("train", job=job_id, part="data")
    assert "5 not trained on: training prohibited: patient data" in told(page)
    assert set(page.dataframe[0].value["Part"]) == {"train", "validation", "test", "excluded"}
    page = open_page("train", job=job_id, part="data", split="excluded")
    assert len(page.dataframe[0].value) == 2
    page = open_page("train", job=job_id, part="settings")
    settings = dict(page.dataframe[0].value.to_numpy())
    assert (settings["Trainer"], settings["Seed"], settings["Rounds"]) == ("Word counter", "42", "3")


def test_a_waiting_job_can_be_cancelled_with_a_reason_and_retried(open_page, workbench, sheet):
    job = workbench.training_jobs.submit(JobRequest(sheet.id, "mail-class", "words"), by=ANN)
    page = open_page("train", job=job.id)
    page.text_input(key="train_cancel_reason").set_value("wrong sheet")
    page = click(page, "Cancel the job")
    assert workbench.training_jobs.get(job.id).status == "cancelled"
    assert "Cancel requested: wrong sheet" in told(page)
    page.number_input(key="train_retry_rounds").set_value(5)
    page = click(page, "Start again")
    again = workbench.training_jobs.find()[0]
    assert (again.request.parent_job_id, again.request.parameters["rounds"]) == (job.id, 5)
    assert address(page, "job") == again.id


def test_a_failed_job_says_why(open_page, workbench, sheet, trainer):
    def fail(step):
        raise ValueError("no words")

    trainer.while_training = fail
    page = open_page("train", job=train(workbench, sheet.id))
    assert "Unexpected: no words" in page.error[0].value.replace("\\", "")


# --- versions ------------------------------------------------------------------------------------------------------


def test_the_list_of_versions_shows_the_score_with_its_interval(open_page, workbench, sheet):
    train(workbench, sheet.id)
    page = open_page("train", view="versions")
    (line,) = page.dataframe[0].value.to_dict("records")
    assert (line["Model"], line["Version"], line["Served by"]) == ("mail-class", "v1", "–")
    assert line["Held-out items"].startswith("Accuracy ")


def test_a_version_shows_its_scores_classes_and_mistakes(open_page, workbench, sheet, trainer):
    train(workbench, sheet.id)
    trainer.models["mail-class", 1].answer = lambda variables: "ham"
    evaluation = workbench.evaluations.evaluate_now("mail-class", 1, by=ANN)
    spam = (workbench.evaluations.items(evaluation.id)["expected"] == "spam").sum()
    page = open_page("train", model="mail-class", version="1", evaluation=evaluation.id)
    assert f"{evaluation.item_count} held-out items" in told(page)
    classes = page.dataframe[0].value
    assert list(classes.index) == ["ham", "spam"]
    assert classes.loc["spam", "Recall"].startswith("0.0 % (0.0 % to ")
    page = open_page("train", model="mail-class", version="1", evaluation=evaluation.id, part="items")
    wrong = page.dataframe[0].value
    assert len(wrong) == spam
    assert set(wrong["Expected"]) == {"spam"}
    pair = workbench.evaluations.items(evaluation.id, only_wrong=True)["pair_id"].iloc[0]
    page = open_page("train", model="mail-class", version="1", part="items", items="all", pair=pair)
    assert any("Is this mail spam?" in text.value for text in page.text)


def test_a_version_tells_where_it_came_from(open_page, workbench, sheet):
    train(workbench, sheet.id)
    page = open_page("train", model="mail-class", version="1", part="lineage")
    assert "demo.acme.mails" in told(page)
    assert "120 pairs, 118 canonical labels" in told(page)
    assert "No endpoint serves it" in told(page)
    assert len(page.dataframe[0].value) == 120


def test_evaluating_again_leaves_out_what_was_seen_and_says_so(open_page, workbench, sheet):
    train(workbench, sheet.id)
    page = open_page("train", model="mail-class", version="1")
    choice = page.selectbox(key="train_dataset")
    assert choice.options == ["Its own test part", "Training sheet “Mail class”"]
    choice.select_index(1)
    page = click(page, "Evaluate")
    work(workbench)
    page = page.run()
    newest = workbench.evaluations.find(model_name="mail-class")[0]
    assert f"{newest.excluded_reasons['seen in training']} seen in training" in told(page)


def test_comparing_measures_what_is_missing_and_then_shows_who_wins(open_page, workbench, sheet, trainer):
    train(workbench, sheet.id)
    train(workbench, sheet.id, parameters={"rounds": 2})
    trainer.models["mail-class", 1].answer = lambda variables: "ham"
    page = open_page("train", model="mail-class", version="2")
    page = click(page, "Compare")
    assert page.get("progress"), "the first version is being measured on the test part of the second"
    work(workbench)
    page = page.run()
    numbers = tiles(page)
    assert (numbers["Lost"], numbers["Won"] != "0") == ("0", True)
    assert numbers["Difference"].startswith("+")
    assert "v2 against v1" in told(page)
    assert "too few items to tell; 30 are needed" in told(page)
    differing = page.dataframe[1].value
    assert set(differing["Result"]) == {"Won"}
    assert (set(differing["v1"]), set(differing["v2"])) == ({"ham"}, {"spam"})
    page = click(page, "Swap")
    assert tiles(page)["Won"] == "0"


def test_one_version_alone_cannot_be_compared(open_page, workbench, sheet):
    train(workbench, sheet.id)
    page = open_page("train", model="mail-class", version="1")
    assert "train_compare_with" not in {box.key for box in page.selectbox}


def test_rt_1_retraining_is_prefilled_and_shows_what_changed(open_page, workbench, sheet):
    train(workbench, sheet.id, parameters={"rounds": 2}, seed=3)
    approve(workbench, sheet.id, 2)
    page = open_page("train", model="mail-class", version="1")
    page = click(page, "Retrain")
    base = f"train_{sheet.id}_mail-class"
    assert page.text_input(key=f"{base}_name").value == "mail-class"
    assert page.number_input(key=f"{base}_words_rounds").value == 2
    assert page.number_input(key=f"{base}_seed").value == 3
    difference = workbench.training_jobs.propose_retrain("mail-class").difference
    assert tiles(page)["New items"] == str(difference.new)
    assert (tiles(page)["Changed items"], tiles(page)["Removed items"]) == ("0", "0")
    page = click(page, "Start training")
    asked = workbench.training_jobs.find()[0].request
    assert (asked.launched_from, asked.model_name) == ("retrain", "mail-class")


def test_the_pages_read_again_after_a_change(open_page, workbench, sheet):
    """A list must not be stale: the caches follow the tables."""
    page = open_page("train", training_sheet=sheet.id)
    assert tiles(page)["Eligible"] == "113"
    approve(workbench, sheet.id, 2)
    assert tiles(page.run())["Eligible"] == "115"
