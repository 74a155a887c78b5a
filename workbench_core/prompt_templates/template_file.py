"""Templates as files that live well in git: YAML front matter with all fields, then the user prompt as it is.

    ---
    name: Defects
    version: 1.0.0
    label_type: defect_class
    system_prompt: |-
      You sort reports.
    ---
    Report: {{ report }}

The keys come in one order, what is empty is left out, and no time is written, so that two exports of one version are
the same to the byte. Everything behind the second `---` line but one final line break is the user prompt. In a file
whose first line ends in CR LF (a checkout on Windows) every CR LF counts as a line feed.
"""

from __future__ import annotations

import io
import math
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields

import yaml

from workbench_core.errors import Invalid
from workbench_core.ports import Json
from workbench_core.prompt_templates.fields import InputField, OutputField, TemplateExample, usage_json
from workbench_core.prompt_templates.front_matter import HINT, draft_of
from workbench_core.prompt_templates.template import PromptTemplate, TemplateDraft
from workbench_core.usage import ALL_USES

MAX_FILE = 400_000  # characters; prompts of the longest kind and many examples fit
ENDING = ".jinja"
_MARK = re.compile(r"^---[ \t]*(\r?\n|\Z)", re.MULTILINE)
_ALWAYS = ("name", "label_type", "answer_source", "temperature", "max_tokens")
_BREAKS = re.compile("[\r\x85\u2028\u2029]")  # YAML takes them for line ends, and would give them back as line feeds
_MAX_STEM = 80  # characters of a name in the name of a file
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)  # names that Windows keeps for devices
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same archive whenever it is made


class _Dumper(yaml.SafeDumper):
    """YAML in which texts of several lines stand as they are, so that a diff shows the line that changed."""

    def ignore_aliases(self, _data: object) -> bool:
        """Write everything out."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _BREAKS.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def file_of(template: TemplateDraft, version: str) -> str:
    """A template as the text of a file; write it as UTF-8 without changing line ends."""
    head = yaml.dump(
        _front_matter(template, version),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=math.inf,
        default_flow_style=False,
    )
    return f"---\n{head}---\n{template.user_prompt}\n"


def draft_from_file(text: str) -> TemplateDraft:
    """The template of such a file; its version is only for people. Raises Invalid with the line."""
    if len(text) > MAX_FILE:
        raise Invalid(f"The file has more than {MAX_FILE:,} characters.", hint="Is it a template file?")
    text = text.removeprefix("\ufeff")
    first = _MARK.match(text)
    if first is None:
        raise Invalid("Line 1: a template file begins with a line “---”.", hint=HINT)
    if first[1] == "\r\n":
        text = text.replace("\r\n", "\n")
        first = _MARK.match(text)
    assert first is not None
    second = _MARK.search(text, first.end())
    if second is None:
        raise Invalid("The line “---” that ends the front matter is missing.", hint=HINT)
    return draft_of(text[first.end() : second.start()], text[second.end() :].removesuffix("\n"), first_line=2)


def archive_of(templates: Sequence[PromptTemplate]) -> bytes:
    """Templates as files in a zip archive, by name; the same bytes for the same templates."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, template in sorted(named(templates).items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file_of(template, template.version).encode())
    return packed.getvalue()


def file_name(template: TemplateDraft, version: str) -> str:
    """A name for the file of a template that every system takes: `Sort-mails.1.2.0.jinja`."""
    return f"{_stem(template.name)}.{_stem(version)}{ENDING}"


def named(templates: Sequence[PromptTemplate]) -> dict[str, PromptTemplate]:
    """File names for templates: no two alike, also where case does not count."""
    found: dict[str, PromptTemplate] = {}
    taken: set[str] = set()
    for template in templates:
        stem = name = file_name(template, template.version).removesuffix(ENDING)
        number = 2
        while name.casefold() in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name.casefold())
        found[name + ENDING] = template
    return found


def _front_matter(template: TemplateDraft, version: str) -> dict[str, Json]:
    """All fields but the user prompt, in the order of the file; what is empty is left out."""
    values: dict[str, Json] = {
        "name": template.name,
        "version": version,
        "description": template.description,
        "label_type": template.label_type,
        "tags": list(template.tags),
        "model": template.model,
        "temperature": float(template.temperature),
        "max_tokens": template.max_tokens,
        "answer_source": template.answer_source.value,
        "feature_columns": list(template.feature_columns),
        "target_column": template.target_column,
        "inputs": _entries(template.inputs),
        "label_classes": list(template.label_classes),
        "output_schema": _entries(template.output_schema),
        "usage": {} if template.usage == ALL_USES else usage_json(template.usage),
        "examples": _entries(template.examples),
        "system_prompt": template.system_prompt,
    }
    return {name: value for name, value in values.items() if name in _ALWAYS or value not in ("", [], {})}


def _entries(entries: Iterable[InputField | OutputField | TemplateExample]) -> list[Json]:
    """Entries of a list as mappings, without what is as usual."""
    return [
        {
            field.name: _json(value)
            for field in fields(entry)
            if (value := getattr(entry, field.name)) != field.default
            and not (field.default_factory is not MISSING and value == field.default_factory())
        }
        for entry in entries
    ]


def _json(value: Json | Mapping[str, Json] | tuple[str, ...]) -> Json:
    if isinstance(value, Mapping):
        return {name: _json(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [_json(part) for part in value]
    return str(value) if isinstance(value, str) else value  # a StrEnum as its text


def _stem(name: str) -> str:
    """A name without anything that a path or a shell could take for more than a name."""
    plain = unicodedata.normalize("NFC", name)
    stem = re.sub(r"[^\w.]+", "-", plain).strip("-._")[:_MAX_STEM].strip("-._")
    return f"_{stem}" if _RESERVED.fullmatch(stem.split(".")[0]) else stem or "template"
