"""Rule sets out of files: the YAML or JSON format of DQX, read strictly, all problems told at once.

The format: a list of {name, criticality, check: {function, arguments, for_each_column}, filter, user_metadata}; see
https://databrickslabs.github.io/dqx/docs/guide/quality_checks_definition/.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from workbench_core.data_quality.check_functions import CHECK_FUNCTIONS, Scope, argument_problems
from workbench_core.data_quality.rule_sql import (
    converted,
    length_expression,
    name_of,
    with_double_quotes,
    without_quotes,
)
from workbench_core.data_quality.rules import MAX_RULES, Criticality, Origin, RuleDraft, unknown_function
from workbench_core.errors import Invalid
from workbench_core.ports import Json

MAX_FILE = 1_000_000
MAX_DEPTH = 12
OURS = "ontos_rule"  # user metadata that keeps a rule which DQX can say only as an expression
DISABLED = "ontos_disabled"
_RULE_KEYS = ("name", "criticality", "check", "filter", "user_metadata")
_CHECK_KEYS = ("function", "arguments", "for_each_column")


@dataclass(frozen=True, slots=True)
class RefusedRule:
    """A rule that was not taken: its number in the file (from 1), its name and every reason."""

    number: int
    name: str
    reasons: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Which rule it is, and why it was refused."""
        called = f" “{self.name}”" if self.name else ""
        return f"Rule {self.number}{called}: {' '.join(self.reasons)}"


@dataclass(frozen=True, slots=True)
class NumberedDraft:
    """A rule as it was read, with its number in the file."""

    number: int
    draft: RuleDraft


@dataclass(frozen=True, slots=True)
class ReadRules:
    """What a file holds: the rules that can be read, and the others with every reason."""

    drafts: tuple[NumberedDraft, ...]
    refused: tuple[RefusedRule, ...]


def read(text: str, *, origin: Origin = Origin.IMPORTED) -> ReadRules:
    """Read a rule set. Raises Invalid when the text is no such list at all; single rules are refused in the result."""
    if len(text) > MAX_FILE:
        raise Invalid(f"The file has more than {MAX_FILE:,} characters.", hint="Split it into several files.")
    return read_entries(_parsed(text), origin=origin)


def read_entries(entries: object, *, origin: Origin) -> ReadRules:
    """Read rules out of what YAML or JSON gave. Raises Invalid when it is not a list."""
    if not isinstance(entries, list):
        raise Invalid("A rule file holds a list of rules.", hint="Begin every rule with “- name: …”.")
    if len(entries) > MAX_RULES:
        raise Invalid(f"The file has {len(entries):,} rules, more than {MAX_RULES}.", hint="Split it.")
    drafts: list[NumberedDraft] = []
    refused: list[RefusedRule] = []
    for number, entry in enumerate(entries, start=1):
        name = str(entry.get("name") or "") if isinstance(entry, dict) else ""
        reasons = list(_entry_problems(entry))
        if reasons:
            refused.append(RefusedRule(number, name, tuple(reasons)))
        else:
            drafts += [NumberedDraft(number, draft) for draft in _drafts_of(entry, origin)]
    return ReadRules(tuple(drafts), tuple(refused))


def _parsed(text: str) -> object:
    if text.lstrip("\ufeff \t\r\n").startswith(("[", "{")):
        try:
            return json.loads(text.lstrip("\ufeff"), object_pairs_hook=_without_repeated_keys)
        except RecursionError:
            raise Invalid("The file is nested too deeply.", hint="A rule has four levels.") from None
        except ValueError:
            pass  # YAML may begin with a bracket as well
    return _parsed_yaml(text)


def _without_repeated_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        repeated = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Invalid(f"The key “{repeated[:80]}” stands twice in one object.", hint="Keep one of them.")
    return found


def _parsed_yaml(text: str) -> object:
    """What safe YAML says; a small file must not become a large one, so aliases and deep nesting are refused."""
    import yaml

    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise Invalid("The file uses an alias (*name).", hint="Write the value out at each place.")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise Invalid(f"The file is nested more than {MAX_DEPTH} levels deep.", hint="A rule has four levels.")
        _check_keys(yaml.compose(text, Loader=yaml.SafeLoader))
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" in line {mark.line + 1}" if mark else ""
        raise Invalid(
            f"The file is no readable YAML{place}: {error.problem or error.context}.", hint="Correct it there."
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Invalid(f"The file is no readable YAML: {str(error).splitlines()[0]}.", hint="Correct it.") from error


def _check_keys(node: object) -> None:
    """Raise Invalid for a key that is there twice: YAML would keep the last one in silence."""
    import yaml

    if isinstance(node, yaml.SequenceNode):
        for part in node.value:
            _check_keys(part)
    elif isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            line = node.start_mark.line + 1
            raise Invalid(f"“{twice[0]}” is there twice in the entry at line {line}.", hint="Keep one of them.")
        for _, part in node.value:
            _check_keys(part)


def _entry_problems(entry: object) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield "It is not an entry with name and check."
        return
    yield from _unknown_keys(entry, _RULE_KEYS, "A rule")
    for key in ("name", "filter"):
        if entry.get(key) is not None and not isinstance(entry[key], str):
            yield f"“{key}” must be a text."
    if entry.get("criticality", "error") not in tuple(Criticality):
        yield f"“criticality” must be error or warn, not “{entry['criticality']}”."
    metadata = entry.get("user_metadata")
    if metadata is not None and not (
        isinstance(metadata, dict) and all(isinstance(part, str) for pair in metadata.items() for part in pair)
    ):
        yield "“user_metadata” must hold texts only."
    yield from _check_problems(entry.get("check"))


def _check_problems(check: object) -> Iterator[str]:
    if not isinstance(check, dict):
        yield "It has no “check” with a function."
        return
    yield from _unknown_keys(check, _CHECK_KEYS, "A check")
    name = check.get("function")
    if not isinstance(name, str) or not name:
        yield "Its check names no “function”."
        return
    arguments = check.get("arguments") or {}
    if not isinstance(arguments, dict) or not all(isinstance(key, str) for key in arguments):
        yield "“arguments” must be an entry with names and values."
        return
    if name not in CHECK_FUNCTIONS:
        yield unknown_function(name)
        return
    yield from _column_problems(name, arguments, check.get("for_each_column"))
    others = {key: value for key, value in _plain(arguments).items() if key not in {"column", "columns"}}
    yield from argument_problems(name, others)


def _column_problems(function: str, arguments: Mapping[str, Any], each: object) -> Iterator[str]:
    scope = CHECK_FUNCTIONS[function].scope
    key, other = ("column", "columns") if scope is Scope.COLUMN else ("columns", "column")
    given = arguments.get(key)
    if other in arguments:
        yield f"{function} has no argument “{other}”; it takes “{key}”."
    if each is not None:
        if given is not None:
            yield f"It has both “{key}” and “for_each_column”."
        if not isinstance(each, list) or not each or not all(_is_column(one, scope) for one in each):
            yield "“for_each_column” must be a list of columns."
        return
    if given is None and scope is Scope.ROW:
        return
    is_fine = isinstance(given, str) and given if scope is Scope.COLUMN else _is_names(given)
    if not is_fine:
        yield f"{function} needs “{key}”{'' if scope is Scope.COLUMN else ', a list of columns'}."


def _is_column(one: object, scope: Scope) -> bool:
    return (isinstance(one, str) and bool(one)) if scope is Scope.COLUMN else _is_names(one)


def _is_names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) and name for name in value)


def _unknown_keys(entry: Mapping[Any, Any], known: Sequence[str], what: str) -> Iterator[str]:
    unknown = [str(key) for key in entry if key not in known]
    if unknown:
        yield f"{what} has no key “{'”, “'.join(unknown)}”; it has {', '.join(known)}."


def _drafts_of(entry: Mapping[str, Any], origin: Origin) -> Iterator[RuleDraft]:
    """The rules of a valid entry: one, unless a function over several columns is repeated for several groups."""
    check = entry["check"]
    arguments, function = dict(check.get("arguments") or {}), CHECK_FUNCTIONS[check["function"]]
    each = check.get("for_each_column")
    given = arguments.pop("column" if function.scope is Scope.COLUMN else "columns", None)
    metadata = dict(entry.get("user_metadata") or {})
    draft = RuleDraft(
        function=function.name,
        arguments=converted(function, _plain(arguments), sql=with_double_quotes, text=without_quotes),
        name=(entry.get("name") or "").strip(),
        criticality=Criticality(entry.get("criticality", "error")),
        filter=with_double_quotes((entry.get("filter") or "").strip()),
        origin=origin,
        is_enabled=metadata.pop(DISABLED, "") != "true",
        user_metadata=metadata,
    )
    if function.scope is Scope.COLUMN:
        yield _restored(replace(draft, columns=tuple(map(name_of, each or [given]))))
        return
    groups = each if each is not None else [given or []]
    for group in groups:
        name = draft.name if len(groups) == 1 or not draft.name else f"{draft.name}: {', '.join(group)}"
        yield _restored(replace(draft, columns=tuple(map(name_of, group)), name=name))


def _plain(arguments: Mapping[str, Any]) -> dict[str, Json]:
    return {name: _plain_value(value) for name, value in arguments.items()}


def _plain_value(value: Any) -> Json:
    """A value as JSON has it; YAML reads 2013-01-31 as a date, which SQL writes as DATE '2013-01-31'."""
    if isinstance(value, list):
        return [_plain_value(entry) for entry in value]
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    return value if isinstance(value, str | int | float | bool | dict) or value is None else str(value)


def _restored(draft: RuleDraft) -> RuleDraft:
    """A rule of ours that was written as an expression, as it was; one whose expression was changed stays that."""
    kept = draft.user_metadata.get(OURS)
    if kept is None or draft.function != "sql_expression":
        return draft
    others = {name: value for name, value in draft.user_metadata.items() if name != OURS}
    try:
        ours = json.loads(kept)
        column = str(ours["column"])
        original = replace(
            draft,
            function=str(ours["function"]),
            columns=(column,),
            arguments=dict(ours["arguments"]),
            user_metadata=others,
        )
        expression = with_double_quotes(length_expression(column, original.arguments))
    except (ValueError, KeyError, TypeError, RecursionError):
        return draft
    return original if expression == draft.arguments.get("expression") else draft
