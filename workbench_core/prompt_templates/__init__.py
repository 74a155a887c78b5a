"""Prompt templates: versioned recipes that turn the rows of a sheet into questions and check the answers."""

from workbench_core.prompt_templates.attachments import AttachedTemplate, TemplateAttachments
from workbench_core.prompt_templates.comparison import differences
from workbench_core.prompt_templates.fields import InputField, OutputField, TemplateExample
from workbench_core.prompt_templates.json_schemas import fields_from_json_schema, json_schema
from workbench_core.prompt_templates.lint import problems_of
from workbench_core.prompt_templates.mapping import (
    MappingProposal,
    propose_for,
    propose_mapping,
    suggest_mapping,
    target_column_of,
    unmapped,
)
from workbench_core.prompt_templates.service import PromptTemplates
from workbench_core.prompt_templates.starters import STARTERS
from workbench_core.prompt_templates.template import (
    DELETABLE,
    LIFECYCLE,
    VERSIONABLE,
    AnswerSource,
    Difference,
    Problem,
    PromptTemplate,
    RenderedItem,
    TemplateDraft,
    TemplateSnapshot,
    TemplateStatus,
    from_snapshot,
)
from workbench_core.prompt_templates.template_file import draft_from_file, file_of
from workbench_core.prompt_templates.trials import TemplateTrials, Trial, TrialAnswer, TrialSummary

__all__ = [
    "DELETABLE",
    "LIFECYCLE",
    "STARTERS",
    "VERSIONABLE",
    "AnswerSource",
    "AttachedTemplate",
    "Difference",
    "InputField",
    "MappingProposal",
    "OutputField",
    "Problem",
    "PromptTemplate",
    "PromptTemplates",
    "RenderedItem",
    "TemplateAttachments",
    "TemplateDraft",
    "TemplateExample",
    "TemplateSnapshot",
    "TemplateStatus",
    "TemplateTrials",
    "Trial",
    "TrialAnswer",
    "TrialSummary",
    "differences",
    "draft_from_file",
    "fields_from_json_schema",
    "file_of",
    "from_snapshot",
    "json_schema",
    "problems_of",
    "propose_for",
    "propose_mapping",
    "suggest_mapping",
    "target_column_of",
    "unmapped",
]
