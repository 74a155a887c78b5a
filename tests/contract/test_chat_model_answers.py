"""How answers are asked for and read: JSON after a schema, choices, pictures; what is broken is mended or told."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest

from tests.contract.chat_model_parts import SCHEMA, answered, endpoint, one_error
from tests.contract.openai_stub import Behaviour, Body, Reply, always, completion, failure, ok, openai_stub, says
from workbench_core.ports import ChatAnswer, ChatOptions, Conversation, Message

STRUCTURED = ChatOptions(schema=SCHEMA)  # type: ignore[arg-type]
GOOD = '{"product": "drill", "urgency": 2}'
PNG = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def answer_to(behaviour: Behaviour, options: ChatOptions = STRUCTURED, **changes: object) -> ChatAnswer:
    with openai_stub(behaviour) as stub:
        return answered(endpoint(stub.url, **changes), "Hello?", options=options)["0"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(body="{'not': json"), "nonsense"),
        (Reply(body={"status": "fine"}), "nonsense"),
        (Reply(body={"choices": []}), "nonsense"),
        (Reply(body="<html>Welcome</html>", headers={"Content-Type": "text/html"}), "nonsense: <html>Welcome"),
        (Reply(body=completion(None)), "empty answer"),
    ],
)
def test_a_nonsense_response_is_an_error(reply: Reply, words: str) -> None:
    assert words in one_error(always(reply))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Sure, here it is!", "nonsense instead of JSON: Sure, here it is!"),
        ('{"product": "drill"}', "does not follow the schema: 'urgency' is a required property"),
        ('{"product": "drill", "urgency": 9}', "does not follow the schema: 9 is greater than the maximum"),
    ],
)
def test_an_answer_beside_the_schema_is_an_error(text: str, words: str) -> None:
    assert words in one_error(says(text), ChatOptions(schema=SCHEMA))  # type: ignore[arg-type]


def test_json_that_was_cut_off_names_the_limit() -> None:
    options = ChatOptions(schema=SCHEMA, max_tokens=9)  # type: ignore[arg-type]
    error = one_error(says('{"product": "dri', finish_reason="length"), options)
    assert error == "The answer was cut off at 9 tokens, before it was complete."


def test_json_in_a_fence_is_taken() -> None:
    with openai_stub(says('```json\n{"product": "drill", "urgency": 2}\n```')) as stub:
        options = ChatOptions(schema=SCHEMA)  # type: ignore[arg-type]
        answer = answered(endpoint(stub.url), "Hello?", options=options)["0"]
    assert json.loads(answer.text or "") == {"product": "drill", "urgency": 2}


def test_text_in_parts_is_joined() -> None:
    parts = [{"type": "reasoning", "summary": []}, {"type": "text", "text": "Good "}, {"type": "text", "text": "day"}]
    with openai_stub(says(parts)) as stub:
        assert answered(endpoint(stub.url), "Hello?")["0"].text == "Good day"


@pytest.mark.parametrize("text", ["yes", ' {"answer": "yes"} '])
def test_a_choice_is_taken_bare_or_wrapped(text: str) -> None:
    with openai_stub(says(text)) as stub:
        answer = answered(endpoint(stub.url), "Is it?", options=ChatOptions(choices=("no", "yes")))["0"]
    assert answer.text == "yes"


def test_an_answer_that_is_no_choice_is_an_error() -> None:
    error = one_error(says('{"answer": "perhaps"}'), ChatOptions(choices=("no", "yes")))
    assert error == "The model answered “perhaps”, which is none of: no, yes."


# --- broken JSON -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"product": "drill", "urgency": 2',
        "{'product': 'drill', 'urgency': 2,}",
        '{"product": "drill" "urgency": 2}',
        f"Sure, here it is: {GOOD} Anything else?",
        f"```json\n{GOOD[:-1]}\n```",
    ],
)
def test_broken_json_that_follows_the_schema_is_mended_and_reported(text: str) -> None:
    answer = answer_to(says(text))
    assert json.loads(answer.text or "") == {"product": "drill", "urgency": 2}
    assert answer.is_repaired


@pytest.mark.parametrize("text", ["I cannot say.", "{", "[]", "", '{"product": "drill', "NaN", "[" * 5000])
def test_what_cannot_be_mended_to_the_schema_is_an_error(text: str) -> None:
    answer = answer_to(says(text))
    assert answer.text is None
    assert answer.error
    assert not answer.is_repaired


def test_good_json_is_handed_on_as_the_model_wrote_it() -> None:
    answer = answer_to(says(f"  {GOOD}\n"))
    assert (answer.text, answer.is_repaired) == (GOOD, False)


def test_a_text_is_not_made_from_prose_even_where_the_schema_allows_any_text() -> None:
    answer = answer_to(says("Here you are"), ChatOptions(schema={"type": "string"}))
    assert "nonsense instead of JSON" in (answer.error or "")


def test_nothing_is_not_made_into_an_answer() -> None:
    answer = answer_to(says("{"), ChatOptions(schema={"type": "object"}))
    assert answer.error == "The model answered with nonsense instead of JSON: {"


def test_a_choice_in_broken_json_is_mended_and_reported() -> None:
    answer = answer_to(says('{"answer": "yes"'), ChatOptions(choices=("no", "yes")))
    assert (answer.text, answer.is_repaired) == ("yes", True)


# --- models that think aloud, refuse, or stop ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "thoughts", ["<think>\nIs it {urgent}?\n</think>\n\n", "Well, it is.</think>", "<reasoning>x</reasoning>"]
)
def test_thoughts_before_the_answer_are_left_out(thoughts: str) -> None:
    assert answer_to(says(thoughts + GOOD)).text == GOOD
    assert answer_to(says(f"{thoughts}yes"), ChatOptions(choices=("no", "yes"))).text == "yes"


def test_a_mark_of_thoughts_inside_the_answer_stays() -> None:
    text = '{"product": "a</think>b", "urgency": 1}'
    assert answer_to(says(text)).text == text


def test_free_text_keeps_what_the_model_wrote() -> None:
    assert answer_to(says("<think>x</think>y"), ChatOptions()).text == "<think>x</think>y"


def test_a_refusal_of_the_model_is_told_in_its_words() -> None:
    body = completion(None)
    body["choices"][0]["message"]["refusal"] = "I do not do that."
    assert answer_to(always(Reply(body=body))).error == "The model refuses to answer: I do not do that."


def test_a_model_that_spent_all_tokens_on_thinking_names_the_limit() -> None:
    error = answer_to(says("", finish_reason="length"), ChatOptions(max_tokens=7)).error
    assert error == "The answer was cut off at 7 tokens, before it was complete."


# --- what the endpoint understands -----------------------------------------------------------------------------------


def understands(*formats: str, message: str = "response_format {} is not supported by this model") -> Behaviour:
    """An endpoint that refuses every other response format."""

    def behave(number: int, body: Body) -> Reply:
        kind = body.get("response_format", {}).get("type", "none")
        return Reply(body=completion(GOOD)) if kind in formats else failure(400, message.format(kind))

    return behave


@pytest.mark.parametrize(("understood", "tries"), [("json_schema", 1), ("json_object", 2), ("none", 3)])
def test_an_endpoint_without_structured_output_is_asked_in_words_and_this_is_remembered(
    understood: str, tries: int
) -> None:
    with openai_stub(understands(understood)) as stub:
        model = endpoint(stub.url, concurrency=1)
        assert {answer.text for answer in answered(model, "a", "b", options=STRUCTURED).values()} == {GOOD}
        assert len(stub.requests) == tries + 1
        answered(model, "c", options=STRUCTURED)
        assert len(stub.requests) == tries + 2, "the next batch knows it already"
        messages = stub.requests[-1]["messages"]
    if understood == "json_schema":
        assert [message["role"] for message in messages] == ["user"]
    else:
        assert messages[0]["role"] == "system"
        assert "JSON Schema" in messages[0]["content"] and '"urgency"' in messages[0]["content"]


def test_many_questions_at_a_time_learn_it_together() -> None:
    with openai_stub(understands("none")) as stub:
        found = answered(endpoint(stub.url), *["Hello?"] * 30, options=STRUCTURED)
    assert {answer.text for answer in found.values()} == {GOOD}


def test_the_schema_in_words_joins_the_system_message_that_there_is() -> None:
    question = Conversation("0", (Message("system", "Be brief."), Message("user", "Hello?")))
    with openai_stub(says(GOOD)) as stub:
        list(endpoint(stub.url, structured="json_object").answer([question], options=STRUCTURED))
        sent = stub.requests[0]
    assert sent["response_format"] == {"type": "json_object"}
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["messages"][0]["content"].startswith("Be brief.\n\nAnswer with JSON only")


def test_a_configured_way_is_not_left() -> None:
    error = answer_to(understands("none"), structured="json_schema").error
    assert error == "The model endpoint refused the request: response_format json_schema is not supported by this model"


def test_a_refused_schema_changes_nothing_for_other_schemas() -> None:
    def behave(number: int, body: Body) -> Reply:
        wanted = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
        refuses = "maxLength" in json.dumps(wanted)
        return failure(400, "Invalid schema for response_format 'answer'") if refuses else Reply(body=completion(GOOD))

    with openai_stub(behave) as stub:
        model = endpoint(stub.url)
        assert answered(model, "a", options=STRUCTURED)["0"].text == GOOD
        assert answered(model, "b", options=ChatOptions(schema={"type": "object"}))["0"].text == GOOD
        assert stub.requests[-1]["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("max_tokens", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        ("temperature", "Unsupported value: 'temperature' does not support 0.0 with this model."),
        ("seed", "seed: Extra inputs are not permitted"),
    ],
)
def test_a_field_that_the_endpoint_does_not_take_is_left_out_from_then_on(field: str, words: str) -> None:
    with openai_stub(lambda number, body: failure(400, words) if field in body else ok(number, body)) as stub:
        model = endpoint(stub.url)
        assert answered(model, "a")["0"].text
        assert answered(model, "b")["0"].text
        assert len(stub.requests) == 3
        assert ("max_completion_tokens" in stub.requests[-1]) is (field == "max_tokens")


def test_a_value_that_is_too_large_is_told_and_not_left_out() -> None:
    error = answer_to(always(failure(400, "max_tokens is too large: 256")), ChatOptions()).error
    assert error == "The model endpoint refused the request: max_tokens is too large: 256"


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (SCHEMA, True),
        ({**SCHEMA, "required": ["product"]}, False),
        ({"type": "object"}, False),
        ({"type": "array", "items": {"type": "object", "properties": {"a": {}}, "required": ["a"]}}, False),
    ],
)
def test_only_a_closed_schema_is_held_to_strictly(schema: dict[str, object], strict: bool) -> None:
    with openai_stub(says("[]")) as stub:
        answered(endpoint(stub.url), "Hello?", options=ChatOptions(schema=schema))  # type: ignore[arg-type]
        assert stub.requests[0]["response_format"]["json_schema"]["strict"] is strict


# --- pictures --------------------------------------------------------------------------------------------------------


def shows(name: str, content: bytes | None) -> Conversation:
    pictures = {} if content is None else {name: content}
    return Conversation("0", (Message("user", "What is this?", (name,)),), pictures)


def test_a_picture_is_sent_with_its_question() -> None:
    with openai_stub(says("A cat.")) as stub:
        model = endpoint(stub.url, reads_pictures=True)
        [answer] = model.answer([shows("demo.cats.photos/a/cat.png", PNG)], options=ChatOptions())
        [text, picture] = stub.requests[0]["messages"][0]["content"]
    assert model.reads_pictures
    assert answer.text == "A cat."
    assert text == {"type": "text", "text": "What is this?"}
    head, _, data = picture["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    assert b64decode(data) == PNG


@pytest.mark.parametrize(
    ("reads", "content", "error"),
    [
        (False, PNG, "This model reads no pictures. Choose one that does."),
        (True, None, "The picture cat.png could not be read."),
        (True, b"%PDF-1.7", "cat.png is not a picture that models read: PNG, JPEG, GIF or WebP."),
    ],
)
def test_a_picture_that_cannot_be_sent_is_an_error_of_its_item(reads: bool, content: bytes | None, error: str) -> None:
    with openai_stub() as stub:
        questions = [shows("v/cat.png", content), Conversation("1", (Message("user", "Hello?"),))]
        found = {a.id: a for a in endpoint(stub.url, reads_pictures=reads).answer(questions, options=ChatOptions())}
        assert len(stub.requests) == 1
    assert found["0"].error == error
    assert found["1"].text
