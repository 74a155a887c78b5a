"""The statement that asks a served model about all rows of a selection at once, with `ai_query` (decision 0012).

It is built as an expression and rendered for the engine. Texts of prompts are bound parameters: nothing that a person
typed into a prompt is ever part of the SQL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlglot import exp

from workbench_core.adapters.chat_completions.questions import choice_schema, is_strict, token_limit
from workbench_core.adapters.lake_query import ITEM_REF, QuerySource, find_column, rows_query, split_name
from workbench_core.adapters.lake_query.cell_texts import cell_text
from workbench_core.adapters.lake_query.prompt_sql import PromptSql, is_blank
from workbench_core.errors import Invalid
from workbench_core.ports import BulkRequest, ChatOptions, Json, Message
from workbench_core.ports.prompt_expressions import WHITESPACE

MAX_PARAMETERS = 256  # of one statement on Databricks
ENDPOINT = re.compile(r"[A-Za-z0-9_.-]{1,200}")
SUBSTITUTED = "${"  # Spark puts variables into the text of a statement before it is parsed
ROWS, TEXTS, VALUES, PROMPTS, SKIPPED = "chosen_rows", "cell_texts", "cell_values", "prompts", "skipped"
SYSTEM, USER, SURE = "system_text", "user_text", "is_sure"
_HINT = "The workbench asks item by item."


class RequestForm(StrEnum):
    """What an endpoint takes from `ai_query`: one text (hosted and external models), or chat messages."""

    TEXT = "text"
    MESSAGES = "messages"


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with the values of its named parameters."""

    sql: str
    parameters: Mapping[str, str]


def one_text(messages: Sequence[Message]) -> str:
    """Messages as the one text that hosted models take: a question alone is itself, other messages say who speaks."""
    *before, question = messages
    if not before:
        return question.content
    return (
        "".join(f"{_speaker(message)}{message.content}\n\n" for message in before)
        + _speaker(question)
        + (question.content)
    )


def create_statement(
    request: BulkRequest, source: QuerySource, *, table: str, form: RequestForm = RequestForm.TEXT
) -> Statement:
    """The statement that makes the table of answers (item_ref, answer) when it is not there.

    `source` is what the selection reads. Raises Invalid for what the engine cannot compute as the workbench would.
    """
    if not ENDPOINT.fullmatch(request.endpoint):
        raise Invalid(f"“{request.endpoint[:100]}” cannot name a serving endpoint.", hint=_HINT)
    builder = _Builder(request, source)
    create = exp.Create(this=_table(table), kind="TABLE", exists=True, expression=builder.query(form))
    sql = create.sql(dialect=source.dialect)
    if SUBSTITUTED in sql:
        raise Invalid("A filter or a name of the sheet holds “${”, which the warehouse would replace.", hint=_HINT)
    return Statement(sql, builder.bound.parameters)


def answers_query(table: str, *, dialect: str, limit: int) -> str:
    """A page of the answers behind the bound parameter `after`: item_ref, and the answer as JSON."""
    answer = exp.alias_(exp.Anonymous(this="TO_JSON", expressions=[exp.column("answer")]), "answer")
    rows = exp.select(exp.column(ITEM_REF), answer).from_(_table(table))
    behind = exp.GT(this=exp.column(ITEM_REF), expression=exp.Placeholder(this="after"))
    return rows.where(behind).order_by(ITEM_REF).limit(limit).sql(dialect=dialect)


def count_query(table: str, *, dialect: str) -> str:
    """How many answers there are."""
    return exp.select(exp.alias_(exp.Count(this=exp.Star()), "answers")).from_(_table(table)).sql(dialect=dialect)


def drop_statement(table: str, *, dialect: str) -> str:
    """Remove the answers when they are there."""
    return exp.Drop(tables=[_table(table)], kind="TABLE", exists=True).sql(dialect=dialect)


class _Bound:
    """The parameters of a statement: the same text is bound once."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    @property
    def parameters(self) -> dict[str, str]:
        return {name: text for text, name in self._names.items()}

    def text(self, text: str) -> exp.Expr:
        name = self._names.setdefault(text, f"p{len(self._names) + 1}")
        if len(self._names) > MAX_PARAMETERS:
            raise Invalid(f"The prompt has more than {MAX_PARAMETERS} pieces of text.", hint=_HINT)
        return exp.Placeholder(this=name)


class _Builder:
    """One statement in steps: rows of the selection, texts of their cells, values cut to size, prompts, answers."""

    def __init__(self, request: BulkRequest, source: QuerySource) -> None:
        self.bound = _Bound()
        self._request = request
        chosen, left_out = request.selection.item_refs, request.selection.excluded_refs
        self._source = replace(
            source,
            refs=source.refs if chosen is None else self._refs(chosen, source.dialect),
            excluded_refs=self._refs(left_out, source.dialect) if left_out else source.excluded_refs,
        )
        columns = {name: find_column(column, source.columns) for name, column in request.mapping.items() if column}
        self._columns = {column.name: column for column in columns.values()}
        numbers = {name: f"v{place}" for place, name in enumerate(self._columns, start=1)}
        self._names = {name: numbers[column.name] for name, column in columns.items()}
        self._numbers = numbers

    def query(self, form: RequestForm) -> exp.Select:
        """The answers of all items that can be asked."""
        call = exp.alias_(self._call(form), "answer")
        query = exp.select(exp.column(ITEM_REF, table=PROMPTS), call).from_(PROMPTS).where(*self._askable())
        steps = ((ROWS, self._rows()), (TEXTS, self._texts()), (VALUES, self._values()), (PROMPTS, self._prompts()))
        for name, step in steps:
            query = query.with_(name, as_=step)
        return query

    def _rows(self) -> exp.Select:
        rows = rows_query(self._request.selection, self._source)
        if self._request.row_limit is None:
            return rows
        return exp.select("*").from_(rows.subquery("selected")).order_by(ITEM_REF).limit(self._request.row_limit)

    def _texts(self) -> exp.Select:
        texts = [
            exp.alias_(
                cell_text(column, exp.column(name, table=ROWS, quoted=True), dialect=self._source.dialect),
                self._numbers[name],
            )
            for name, column in self._columns.items()
        ]
        return exp.select(exp.column(ITEM_REF, table=ROWS), *texts).from_(ROWS)

    def _values(self) -> exp.Select:
        return exp.select(ITEM_REF, *map(self._cut, self._numbers.values())).from_(TEXTS)

    def _cut(self, name: str) -> exp.Expr:
        prompt, text = self._request.prompt, exp.column(name)
        start = exp.Substring(this=text, start=exp.Literal.number(1), length=exp.Literal.number(prompt.value_limit))
        is_long = exp.GT(this=exp.Length(this=text.copy()), expression=exp.Literal.number(prompt.value_limit))
        cut = exp.Concat(expressions=[start, self.bound.text(prompt.cut_mark)])
        return exp.alias_(exp.Case(ifs=[exp.If(this=is_long, true=cut)], default=text.copy()), name)

    def _prompts(self) -> exp.Select:
        texts: dict[str, exp.Expr] = {
            name: exp.column(self._names[name]) if column else exp.Literal.string("")
            for name, column in self._request.mapping.items()
        }
        builder = PromptSql(texts, self.bound.text)
        system = exp.alias_(builder.text(self._request.prompt.system), SYSTEM)
        user = exp.alias_(builder.text(self._request.prompt.user), USER)
        known = [exp.Not(this=exp.Is(this=exp.column(name), expression=exp.Null())) for name in self._numbers.values()]
        sure = exp.and_(*known, *builder.guards) if known or builder.guards else exp.true()
        return exp.select(ITEM_REF, system, user, exp.alias_(sure, SURE)).from_(VALUES)

    def _askable(self) -> list[exp.Expr]:
        conditions: list[exp.Expr] = [exp.column(SURE, table=PROMPTS), exp.Not(this=is_blank(_text(USER), WHITESPACE))]
        conditions += [
            exp.LTE(this=exp.Length(this=_text(name)), expression=exp.Literal.number(self._request.prompt.text_limit))
            for name in (SYSTEM, USER)
        ]
        if self._request.skipped_refs:
            conditions.append(_is_not_in(self._refs(self._request.skipped_refs, self._source.dialect)))
        if self._request.skipped_table:
            conditions.append(_is_not_in(exp.select(ITEM_REF).from_(_table(self._request.skipped_table))))
        return conditions

    def _refs(self, refs: Sequence[str], dialect: str) -> exp.Select:
        """Identifiers out of one parameter, however many they are."""
        listed = self.bound.text(json.dumps(list(refs), ensure_ascii=False))
        shape, unfold = ('["VARCHAR"]', "UNNEST") if dialect == "duckdb" else ("ARRAY<STRING>", "EXPLODE")
        read = exp.Anonymous(this="FROM_JSON", expressions=[listed, exp.Literal.string(shape)])
        return exp.select(exp.alias_(exp.Anonymous(this=unfold, expressions=[read]), ITEM_REF))

    # --- the call ----------------------------------------------------------------------------------------------------

    def _call(self, form: RequestForm) -> exp.Expr:
        options = self._request.options
        wanted = _response_format(options)
        parameters = exp.Struct(
            expressions=[
                _field("max_tokens", exp.Literal.number(token_limit(options))),
                _field("temperature", exp.cast(exp.Literal.string(repr(float(options.temperature))), "double")),
            ]
        )
        arguments = [
            *([_argument("responseFormat", exp.Literal.string(wanted))] if wanted else []),
            _argument("modelParameters", parameters),
            _argument("failOnError", exp.false()),
        ]
        asked = self._one_text() if form is RequestForm.TEXT else self._messages()
        return exp.Anonymous(
            this="AI_QUERY", expressions=[exp.Literal.string(self._request.endpoint), asked, *arguments]
        )

    def _one_text(self) -> exp.Expr:
        """What `one_text` makes of the messages."""
        turns = "".join(f"{_speaker(turn)}{turn.content}\n\n" for turn in self._request.prompt.turns)
        told = exp.Concat(expressions=[self.bound.text(f"{turns}{_speaker(Message('user', ''))}"), _text(USER)])
        system = exp.Concat(expressions=[_text(SYSTEM), self.bound.text("\n\n"), told.copy()])
        without = told if turns else _text(USER)
        return exp.Case(ifs=[exp.If(this=is_blank(_text(SYSTEM), WHITESPACE), true=without)], default=system)

    def _messages(self) -> exp.Expr:
        turns = [_message(turn.role, self.bound.text(turn.content)) for turn in self._request.prompt.turns]
        asked = [*turns, _message("user", _text(USER))]
        told = exp.Array(expressions=[_message("system", _text(SYSTEM)), *(one.copy() for one in asked)])
        without = exp.If(this=is_blank(_text(SYSTEM), WHITESPACE), true=exp.Array(expressions=asked))
        return exp.Struct(expressions=[_field("messages", exp.Case(ifs=[without], default=told))])


def _speaker(message: Message) -> str:
    """How one text says who speaks; the system message is what the text begins with."""
    return {"system": "", "user": "User: ", "assistant": "Assistant: "}[message.role]


def _response_format(options: ChatOptions) -> str:
    """The form of the answer as `ai_query` takes it: choices, a JSON Schema, or nothing."""
    schema = choice_schema(options.choices) if options.choices else options.schema
    if schema is None:
        return ""
    form: dict[str, Json] = {"name": "answer", "schema": dict(schema), "strict": is_strict(schema)}
    return json.dumps({"type": "json_schema", "json_schema": form}, ensure_ascii=False)


def _argument(name: str, value: exp.Expr) -> exp.Expr:
    return exp.Kwarg(this=exp.var(name), expression=value)


def _field(name: str, value: exp.Expr) -> exp.Expr:
    return exp.PropertyEQ(this=exp.to_identifier(name), expression=value)


def _message(role: str, content: exp.Expr) -> exp.Expr:
    return exp.Struct(expressions=[_field("role", exp.Literal.string(role)), _field("content", content)])


def _text(name: str) -> exp.Expr:
    return exp.column(name, table=PROMPTS)


def _is_not_in(refs: exp.Select) -> exp.Expr:
    same = exp.EQ(this=exp.column(ITEM_REF, table=SKIPPED), expression=exp.column(ITEM_REF, table=PROMPTS))
    found = exp.select("1").from_(refs.subquery(SKIPPED)).where(same)
    return exp.Not(this=exp.Exists(this=found))


def _table(name: str) -> exp.Table:
    """A table by its three-part name, each part checked and quoted."""
    catalog, schema, table = split_name(name)
    return exp.table_(table, db=schema, catalog=catalog, quoted=True)
