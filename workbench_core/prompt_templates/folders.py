"""All templates as the files of a folder, and back, so that they can be kept and reviewed in git."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench_core.errors import Invalid, WorkbenchError
from workbench_core.prompt_templates import template_file
from workbench_core.prompt_templates.service import PromptTemplates
from workbench_core.prompt_templates.template import PromptTemplate, TemplateStatus
from workbench_core.prompt_templates.versions import numbers_of

_MOST = 10_000  # templates in one go
_MAX_BYTES = 4 * template_file.MAX_FILE


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """What came of one file, in words."""

    file: str
    words: str
    is_refused: bool = False


def write(templates: PromptTemplates, folder: Path) -> list[str]:
    """Write every published version to a folder, which is made when missing; give the names of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    found = templates.find(status=TemplateStatus.PUBLISHED, limit=_MOST)
    named = template_file.named(sorted(found, key=lambda template: (template.created_at, template.id)))
    for name, template in sorted(named.items()):
        (folder / name).write_bytes(template_file.file_of(template, template.version).encode())
    return sorted(named)


def read(templates: PromptTemplates, folder: Path, *, by: str) -> list[ImportedFile]:
    """Make the template files of a folder drafts: versions of the template of that name, or new templates.

    A file that says what a version says already changes nothing; one that cannot be read is told and stops no other.
    """
    known: dict[str, str] = {template.name: template.lineage_id for template in templates.find(limit=_MOST)}
    return [_taken(templates, file, known, by=by) for file in _files(folder)]


def _files(folder: Path) -> list[Path]:
    """The template files of a folder, the versions of each template in their order."""
    files = folder.glob(f"*{template_file.ENDING}")
    return sorted(files, key=lambda file: (file.name.split(".")[0], numbers_of(file.name.partition(".")[2]), file.name))


def _taken(templates: PromptTemplates, file: Path, known: dict[str, str], *, by: str) -> ImportedFile:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise Invalid("The file is too large for a template.")
        text = file.read_bytes().decode()
        draft = template_file.draft_from_file(text)
        lineage_id = known.get(draft.name.strip(), "")
        if any(version.draft == draft for version in templates.versions(lineage_id)):
            return ImportedFile(file.name, "unchanged")
        template: PromptTemplate = templates.import_file(text, by=by, lineage_id=lineage_id)
    except UnicodeDecodeError:
        return ImportedFile(file.name, "The file is no UTF-8 text.", is_refused=True)
    except WorkbenchError as error:
        return ImportedFile(file.name, f"{error.message} {error.hint}".strip(), is_refused=True)
    known.setdefault(template.name, template.lineage_id)
    return ImportedFile(file.name, f"draft {template.version} of “{template.name}”")
