"""Templates as files: nothing is lost on the way to git and back, and no file does harm."""

from __future__ import annotations

import io
import random
import time
import zipfile
from dataclasses import replace

import pytest

from tests.core.generation_parts import ANN, BEN, Parts
from workbench_core import usage
from workbench_core.__main__ import main
from workbench_core.errors import Conflict, Invalid, NotFound, NotPermitted
from workbench_core.metrics import FieldType
from workbench_core.permissions import Role
from workbench_core.prompt_templates import (
    STARTERS,
    AnswerSource,
    InputField,
    OutputField,
    TemplateDraft,
    TemplateExample,
    TemplateStatus,
    draft_from_file,
    file_of,
    folders,
)
from workbench_core.usage import Classification, UsageRules, Use

FULL = TemplateDraft(
    name="Défauts: “plant” #7",
    label_type="defect_class",
    user_prompt="---\nReport: {{ report }}\r\n--- \n\n\tLine {{ line }}  \n😀",
    description="Sorts reports.\nIn two lines.",
    system_prompt="You sort reports.\n---\n  Be brief: {{ plant }}\n",
    output_schema=(
        OutputField("part", FieldType.STRING, "Which part", True, ("door", "no", "1.0")),
        OutputField("severity", FieldType.NUMBER, "", False, (), {"type": "integer", "minimum": 1, "maximum": 5.5}),
        OutputField("owner", rules={"type": ["string", "null"], "default": None, "pattern": "^[a-z]+$"}),
    ),
    examples=(TemplateExample("Report:\n a scratch", '{"part": "door"}', "It says so."), TemplateExample("x", "{}")),
    answer_source=AnswerSource.HYBRID,
    temperature=0.2,
    max_tokens=32,
    model="large: model",
    inputs=(InputField("report"), InputField("line", FieldType.NUMBER, "Which line", False)),
    feature_columns=("report", "line no."),
    target_column="verdict",
    tags=("plant", "2026-01-05", "true"),
    usage=usage.preset("client_data"),
)
SMALL = TemplateDraft(name="Small", label_type="x", user_prompt="{{ a }}", system_prompt="You sort.\nBe brief.")
AWKWARD = [
    "a", "B c", " ", "\n", "\n\n", "\r\n", "\r", "\t", "---", "\n---\n", "...", "#", ": ", "- ", "'", '"', "\\",
    "{{ x }}", "😀", "é", "\x85", "\u2028", "\ufeff", "\x00", "\x07", "\xa0", "null", "~", "no", "1.0", "1e3",
    "2026-01-05", "|", ">", "&a", "*a", "!t", "%", "@", "`", "[", "]", "{", "}", ",", "<<", "=",
]  # fmt: skip


@pytest.fixture
def parts(tmp_path):
    return Parts(tmp_path)


# --- there and back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draft", [FULL, SMALL, *STARTERS.values()], ids=lambda draft: draft.label_type)
def test_every_field_comes_back_from_a_file_and_the_file_is_the_same_to_the_byte(draft):
    text = file_of(draft, "1.2.0")
    assert draft_from_file(text) == draft
    assert file_of(draft_from_file(text), "1.2.0") == text


def test_a_file_reads_well_and_leaves_out_what_is_empty():
    assert file_of(SMALL, "1.0.0") == (
        "---\nname: Small\nversion: 1.0.0\nlabel_type: x\ntemperature: 0.0\nmax_tokens: 256\nanswer_source: manual\n"
        "system_prompt: |-\n  You sort.\n  Be brief.\n---\n{{ a }}\n"
    )


def test_changing_one_line_of_a_prompt_changes_one_line_of_the_file():
    before = file_of(FULL, "1.0.0").split("\n")
    after = file_of(replace(FULL, system_prompt=FULL.system_prompt.replace("sort", "order")), "1.0.0").split("\n")
    assert [line for line in after if line not in before] == ["  You order reports."]
    assert len(before) == len(after)


def test_awkward_texts_come_back_exactly():
    chance = random.Random(7)

    def text():
        return "".join(chance.choice(AWKWARD) for _ in range(chance.randint(1, 9)))

    for _ in range(150):
        draft = replace(
            SMALL,
            name=text(),
            user_prompt=text(),
            system_prompt=text(),
            description=text(),
            label_classes=(text(), text()),
            examples=(TemplateExample(text(), text(), text()),),
            output_schema=(OutputField(text(), rules={text(): [text(), None, True, 1, 1e-7]}),),
        )
        file = file_of(draft, "1.0.0")
        assert draft_from_file(file) == draft
        assert draft_from_file(file.encode().decode()) == draft


@pytest.mark.parametrize("rules", [*(preset.rules for preset in usage.PRESETS)])
def test_usage_rules_come_back(rules):
    assert draft_from_file(file_of(replace(SMALL, usage=rules), "1.0.0")).usage == rules


def test_a_checkout_on_windows_is_the_same_template():
    assert draft_from_file("\ufeff" + file_of(SMALL, "1.0.0").replace("\n", "\r\n")) == SMALL


def test_a_file_that_a_person_wrote_is_read_as_it_is_written():
    draft = draft_from_file(
        "---\nlabel_type: yes_no\nname: no\nmodel: 1.10\nlabel_classes: [yes, no, 12:30]\ntarget_column: ~\n"
        "usage: {prohibited: [training]}\n---\nIs it {{ a }}?"
    )
    assert (draft.name, draft.model, draft.label_classes) == ("no", "1.10", ("yes", "no", "12:30"))
    assert (draft.target_column, draft.user_prompt, draft.temperature) == ("", "Is it {{ a }}?", 0.0)
    assert draft.usage == UsageRules(
        frozenset(Use) - {Use.TRAINING}, frozenset({Use.TRAINING}), Classification.INTERNAL
    )


# --- what is refused -----------------------------------------------------------------------------------------------


def with_line(line):
    return f"---\nname: a\nlabel_type: b\n{line}\n---\n{{{{ a }}}}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Line 1: a template file begins"),
        ("name: a", "Line 1: a template file begins"),
        ("---\nname: a\n", "that ends the front matter is missing"),
        ("---\n---\nx", "Line 2: the front matter is empty"),
        ("---\n- a\n---\nx", "Line 2: keys and values"),
        ("---\nname: a\n---\nx", "Line 2: “label_type” is missing"),
        (with_line("tempreture: 1"), "Line 4: “tempreture” is not known"),
        (with_line("name: b"), "Line 4: “name” is there twice"),
        (with_line("tags: [a\nb: c"), "Line 5: this is no YAML"),
        (with_line("tags: a"), "Line 4: a list is expected"),
        (with_line("tags: [[a]]"), "Line 4: a text is expected"),
        (with_line("temperature: warm"), "Line 4: a number is expected"),
        (with_line("temperature: .inf"), "Line 4: a number is expected"),
        (with_line("max_tokens: 1.5"), "Line 4: a whole number"),
        (with_line("max_tokens: -1"), "Line 4: a whole number"),
        (with_line("max_tokens: " + "9" * 5000), "Line 4: a whole number"),
        (with_line("answer_source: guess"), "Line 4: “guess” is none of existing_column"),
        (with_line("inputs:\n  - name: a\n    type: text"), "Line 6: “text” is none of string"),
        (with_line("inputs:\n  - type: string"), "Line 5: “name” is missing"),
        (with_line("inputs:\n  - {name: a, required: maybe}"), "Line 5: true or false"),
        (with_line("examples: [{input: a}]"), "Line 4: “output” is missing"),
        (with_line("output_schema: [{name: a, rules: {x: .nan}}]"), "Line 4: a finite number"),
        (with_line("output_schema: [{name: a, rules: [1]}]"), "Line 4: keys and values"),
        (with_line("usage: {allowed: [training], prohibited: [training]}"), "Line 4: training cannot be both"),
        (with_line("usage: {allowed: [everything]}"), "Line 4: “everything” is none of training"),
        (with_line("description: &a x\nmodel: *a"), "Line 4: anchors and aliases"),
        (with_line("<<: {model: x}"), "Line 4: “<<” is not known"),
        (with_line('description: !!python/object/apply:os.system ["true"]'), "Line 4: tags and directives"),
        (with_line("description: !!binary aGVsbG8="), "Line 4: tags and directives"),
        (with_line("? [a]\n: b"), "Line 4: a text is expected"),
        (with_line("tags: " + "[" * 100), "Line 4: this is too deeply nested"),
        (with_line("tags: " + "[" * 100_000), "Line 4: this is too deeply nested"),
        (with_line("tags: [" + "a, " * 120_000 + "]"), "Line 4: the front matter has too many entries"),
        (with_line("description: a\x07b"), "no YAML"),
        (with_line("description: 'a"), "no YAML"),
        (with_line("\tmodel: a"), "Line 4"),
        ("---\n" + "a" * 400_001, "more than 400,000 characters"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_on_which_line(text, words):
    with pytest.raises(Invalid) as refusal:
        draft_from_file(text)
    assert words in refusal.value.message
    assert refusal.value.hint


def test_a_small_file_that_would_blow_up_is_refused_at_once():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    began = time.perf_counter()
    with pytest.raises(Invalid, match="anchors and aliases"):
        draft_from_file(with_line("\n".join(lines)))
    assert time.perf_counter() - began < 1


# --- into the store and out of it ----------------------------------------------------------------------------------


def test_an_imported_file_is_a_new_draft(parts):
    template = parts.templates.import_file(file_of(FULL, "7.3.0"), by=ANN)
    assert (template.version, template.status, template.draft) == ("1.0.0", TemplateStatus.DRAFT, FULL)
    assert parts.templates.get(template.id) == template
    assert [event.action for event in parts.history.of("prompt_template", template.id)] == ["import"]


def test_a_file_can_become_the_next_version_of_a_template(parts):
    first = parts.templates.get(parts.make_template())
    changed = replace(first.draft, system_prompt="You sort mails carefully.")
    second = parts.templates.import_file(file_of(changed, "9"), by=BEN, lineage_id=first.lineage_id)
    assert (second.version, second.parent_id, second.status) == ("1.1.0", first.id, TemplateStatus.DRAFT)
    assert (second.draft, second.created_by) == (changed, BEN)


def test_importing_what_is_there_already_or_beside_an_open_draft_is_refused(parts):
    first = parts.templates.get(parts.make_template())
    with pytest.raises(Conflict, match="says the same already"):
        parts.templates.import_file(file_of(first, first.version), by=ANN, lineage_id=first.lineage_id)
    parts.templates.create_version(first.id, by=ANN)
    changed = file_of(replace(first.draft, temperature=0.5), "1.1.0")
    with pytest.raises(Conflict, match=r"open draft 1\.1\.0"):
        parts.templates.import_file(changed, by=ANN, lineage_id=first.lineage_id)
    with pytest.raises(NotFound):
        parts.templates.import_file(changed, by=ANN, lineage_id="template-none")
    assert len(parts.templates.versions(first.lineage_id)) == 2


def test_what_could_not_be_saved_cannot_be_imported(parts):
    with pytest.raises(Invalid, match="temperature"):
        parts.templates.import_file(with_line("temperature: 3"), by=ANN)
    assert parts.templates.count() == 0


@pytest.mark.parametrize("role", Role)
def test_importing_needs_the_role_that_edits_templates(parts, role):
    parts.permissions.assign(BEN, role, by=ANN)
    if role in {Role.ADMIN, Role.DATA_STEWARD, Role.DATA_PRODUCER}:
        assert parts.templates.import_file(file_of(SMALL, "1"), by=BEN).created_by == BEN
    else:
        with pytest.raises(NotPermitted):
            parts.templates.import_file(file_of(SMALL, "1"), by=BEN)


def exported(parts, *template_ids):
    with zipfile.ZipFile(io.BytesIO(parts.templates.export_files(template_ids))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_exported_files_can_be_imported_and_exported_again_to_the_same_bytes(parts):
    first = parts.templates.import_file(file_of(FULL, "1.0.0"), by=ANN)
    files = exported(parts, first.id)
    again = parts.templates.import_file(next(iter(files.values())), by=ANN)
    assert parts.templates.export_files([again.id]) == parts.templates.export_files([first.id])


def test_no_name_of_a_template_leads_out_of_the_folder_or_takes_the_place_of_another(parts):
    names = [
        "../../etc/passwd",
        "/abs",
        "C:\\x",
        "..",
        "Sort mails",
        "sort  MAILS",
        "con",
        "x" * 255,
        "Größe/年",
        "a\tb",
    ]
    made = [parts.templates.create(replace(SMALL, name=name), by=ANN).id for name in names]
    files = exported(parts, *made)
    assert set(files) == {
        "etc-passwd.1.0.0.jinja", "abs.1.0.0.jinja", "C-x.1.0.0.jinja", "template.1.0.0.jinja",
        "Sort-mails.1.0.0.jinja", "sort-MAILS.1.0.0-2.jinja", "_con.1.0.0.jinja", "x" * 80 + ".1.0.0.jinja",
        "Größe-年.1.0.0.jinja", "a-b.1.0.0.jinja",
    }  # fmt: skip
    kept = {name.strip().replace("\t", " ") for name in names}
    assert {draft_from_file(text).name for text in files.values()} == kept


def test_exporting_a_template_that_is_not_there_says_so(parts):
    with pytest.raises(NotFound):
        parts.templates.export_files([parts.make_template(), "template-none"])
    assert exported(parts) == {}


# --- a folder under version control --------------------------------------------------------------------------------


def test_a_folder_of_templates_goes_to_another_workbench_and_a_second_time_changes_nothing(parts, tmp_path):
    first = parts.templates.get(parts.make_template())
    second = parts.templates.create_version(first.id, by=ANN)
    better = replace(second.draft, system_prompt="You sort mails with care.")
    parts.templates.update(second.id, better, by=ANN, row_version=1)
    parts.templates.move(second.id, "publish", by=ANN)
    parts.templates.create(SMALL, by=ANN)  # a draft is not ready to be kept
    folder = tmp_path / "kept" / "templates"
    assert folders.write(parts.templates, folder) == ["Mail-class.1.0.0.jinja", "Mail-class.1.1.0.jinja"]

    (tmp_path / "other").mkdir()
    other = Parts(tmp_path / "other")
    (folder / "broken.jinja").write_text("---\nname: a\n")
    (folder / "other.jinja").write_bytes(b"\xff\xfe")
    results = {result.file: result for result in folders.read(other.templates, folder, by=ANN)}
    assert results["Mail-class.1.0.0.jinja"].words == "draft 1.0.0 of “Mail class”"
    assert "open draft 1.0.0" in results["Mail-class.1.1.0.jinja"].words
    assert {name for name, result in results.items() if result.is_refused} == {
        "Mail-class.1.1.0.jinja", "broken.jinja", "other.jinja",
    }  # fmt: skip
    other.templates.move(other.templates.find()[0].id, "publish", by=ANN)
    again = {result.file: result.words for result in folders.read(other.templates, folder, by=ANN)}
    assert again["Mail-class.1.0.0.jinja"] == "unchanged"
    assert again["Mail-class.1.1.0.jinja"] == "draft 1.1.0 of “Mail class”"
    assert other.templates.find()[0].draft == better


def test_templates_leave_and_enter_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WORKBENCH_USER", ANN)
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "small.jinja").write_text(file_of(SMALL, "1.0.0"))
    assert main(["import-templates", str(folder)]) == 0
    assert capsys.readouterr().out == "small.jinja: draft 1.0.0 of “Small”\n"
    assert main(["import-templates", str(folder)]) == 0
    assert capsys.readouterr().out == "small.jinja: unchanged\n"
    (folder / "small.jinja").write_text("nothing")
    assert main(["import-templates", str(folder)]) == 1
    assert "Line 1: a template file begins" in capsys.readouterr().out
    assert main(["export-templates", str(tmp_path / "out")]) == 0
    assert list((tmp_path / "out").iterdir()) == []
