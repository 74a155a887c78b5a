"""Prompt templates: versioned recipes that turn the rows of a sheet into questions and check the answers."""

from workbench_core.prompt_templates.lint import problems_of
from workbench_core.prompt_templates.service import PromptTemplates
from workbench_core.prompt_templates.starters import STARTERS
from workbench_core.prompt_templates.template import (
    DELETABLE,
    LIFECYCLE,
    VERSIONABLE,
    AnswerSource,
    Difference,
    OutputField,
    Problem,
    PromptTemplate,
    RenderedItem,
    TemplateDraft,
    TemplateExample,
    TemplateSnapshot,
    TemplateStatus,
    differences,
    from_snapshot,
    json_schema,
    propose_mapping,
)

__all__ = [
    "DELETABLE",
    "LIFECYCLE",
    "STARTERS",
    "VERSIONABLE",
    "AnswerSource",
    "Difference",
    "OutputField",
    "Problem",
    "PromptTemplate",
    "PromptTemplates",
    "RenderedItem",
    "TemplateDraft",
    "TemplateExample",
    "TemplateSnapshot",
    "TemplateStatus",
    "differences",
    "from_snapshot",
    "json_schema",
    "problems_of",
    "propose_mapping",
]
