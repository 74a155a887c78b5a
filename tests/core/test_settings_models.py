"""Language models in the settings: variables for one, a file for many; wrong values by name, keys never shown."""

from __future__ import annotations

import pytest

from workbench_core.errors import Invalid
from workbench_core.ports import TokenPrice
from workbench_core.settings import ModelSettings, read_settings

URL = "http://localhost:9/v1"
KEY = "sk-proj-0123456789abcdef"


@pytest.fixture
def read(tmp_path):
    """Read settings with this file of models and these variables."""

    def read_(toml: str = "", **env: str):
        if toml:
            (tmp_path / "models.toml").write_text(toml, encoding="utf-8")
        return read_settings({"WORKBENCH_HOME": str(tmp_path), **env}).models

    return read_


def table(*lines: str) -> str:
    return "\n".join(["[[model]]", *lines, ""])


# --- variables -------------------------------------------------------------------------------------------------------


def test_without_configuration_there_are_no_models(read):
    assert read() == ()
    assert read(WORKBENCH_MODEL_NAME="gpt", WORKBENCH_MODEL_KEY=KEY) == (), "an address makes a model"


def test_the_variables_describe_one_model(read):
    [model] = read(
        WORKBENCH_MODEL_URL=URL, WORKBENCH_MODEL_NAME="qwen", WORKBENCH_MODEL_KEY=KEY, WORKBENCH_MODEL_TIMEOUT="30",
        WORKBENCH_MODEL_CONCURRENCY="16", WORKBENCH_MODEL_REQUESTS_PER_MINUTE="600",
        WORKBENCH_MODEL_TOKENS_PER_MINUTE="90000", WORKBENCH_MODEL_PRICE_IN="0.15", WORKBENCH_MODEL_PRICE_OUT="0.6",
        WORKBENCH_MODEL_PRICE_CURRENCY="EUR", WORKBENCH_MODEL_PICTURES="yes", WORKBENCH_MODEL_STRUCTURED="json_object",
    )  # fmt: skip
    assert model == ModelSettings(
        "qwen", URL, model="qwen", key=KEY, key_env="WORKBENCH_MODEL_KEY", timeout_seconds=30.0, concurrency=16,
        requests_per_minute=600, tokens_per_minute=90_000, price=TokenPrice(0.15, 0.6, "EUR"),
        structured="json_object", reads_pictures=True,
    )  # fmt: skip


def test_a_model_without_a_name_is_called_by_its_server(read):
    [model] = read(WORKBENCH_MODEL_URL="http://ann:pw@gpu:8000/v1")
    assert (model.name, model.model, model.price) == ("gpu:8000", "", None)


def test_the_address_of_a_databricks_model_comes_from_its_host(read):
    found = {"WORKBENCH_MODEL_AUTH": "databricks", "WORKBENCH_MODEL_NAME": "chat"}
    [model] = read(**found, DATABRICKS_HOST="adb-1.azuredatabricks.net")
    assert (model.url, model.auth) == ("https://adb-1.azuredatabricks.net/serving-endpoints", "databricks")
    assert read(**found) == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("URL", "localhost:9"), ("URL", "http://"), ("URL", "http://a b/v1"), ("URL", "http://h:99999/v1"),
        ("AUTH", "magic"), ("TIMEOUT", "soon"), ("TIMEOUT", "0"), ("TIMEOUT", "nan"), ("TIMEOUT", "inf"),
        ("CONCURRENCY", "0"), ("CONCURRENCY", "2.5"), ("CONCURRENCY", "1025"), ("CONCURRENCY", "many"),
        ("REQUESTS_PER_MINUTE", "-1"), ("TOKENS_PER_MINUTE", "1.5"), ("PRICE_IN", "-1"), ("PRICE_OUT", "cheap"),
        ("PRICE_OUT", "nan"), ("PICTURES", "perhaps"), ("STRUCTURED", "xml"), ("KEY", "two words"), ("KEY", "a\u2028b"),
        ("NAME", "a\nb"), ("NAME", "x" * 121),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(read, name, value):
    with pytest.raises(Invalid, match=f"WORKBENCH_MODEL_{name}") as raised:
        read(**{"WORKBENCH_MODEL_URL": URL, f"WORKBENCH_MODEL_{name}": value})
    assert raised.value.message.endswith(".")


def test_a_misspelt_variable_is_told(read):
    with pytest.raises(Invalid, match="WORKBENCH_MODEL_CONCURENCY is not a variable of a model"):
        read(WORKBENCH_MODEL_URL=URL, WORKBENCH_MODEL_CONCURENCY="3")


def test_a_wrong_currency_is_refused(read):
    with pytest.raises(Invalid, match="WORKBENCH_MODEL_PRICE_CURRENCY is “dollars”"):
        read(WORKBENCH_MODEL_URL=URL, WORKBENCH_MODEL_PRICE_IN="1", WORKBENCH_MODEL_PRICE_CURRENCY="dollars")


def test_two_ways_to_sign_in_are_refused_without_showing_them(read):
    with pytest.raises(Invalid, match="WORKBENCH_MODEL_URL holds a password") as raised:
        read(WORKBENCH_MODEL_URL=f"http://ann:{KEY}@gpu/v1", WORKBENCH_MODEL_KEY="other-key")
    assert KEY not in f"{raised.value} {raised.value.hint}"


# --- the file --------------------------------------------------------------------------------------------------------


def test_the_file_describes_any_number_of_models_in_order(read):
    toml = (
        table(
            'name = "mini"', 'provider = "openai"', 'title = "Small and cheap"', "timeout_seconds = 20",
            "concurrency = 32", "requests_per_minute = 500", "tokens_per_minute = 200_000",
            'price = {in = 0.15, out = 0.6}', 'structured = "json_schema"', "reads_pictures = true",
            "sends_seed = false",
        )
        + table('name = "local"', 'provider = "ollama"', 'model = "qwen3:8b"')
        + table('name = "only one"', f'url = "{URL}"', 'model = ""', 'key_env = "MY_KEY"')
    )  # fmt: skip
    mini, local, only = read(toml, OPENAI_API_KEY=KEY, WORKBENCH_MODEL_TIMEOUT="45")
    assert mini == ModelSettings(
        "mini", "https://api.openai.com/v1", title="Small and cheap", model="mini", key=KEY, key_env="OPENAI_API_KEY",
        timeout_seconds=20.0, concurrency=32, requests_per_minute=500, tokens_per_minute=200_000,
        price=TokenPrice(0.15, 0.6, "USD"), structured="json_schema", reads_pictures=True, sends_seed=False,
    )  # fmt: skip
    assert (local.url, local.model, local.key_env) == ("http://localhost:11434/v1", "qwen3:8b", "")
    assert local.timeout_seconds == 45, "the usual one"
    assert (only.model, only.key_env, only.key) == ("", "MY_KEY", ""), "a missing key is no reason not to start"


def test_the_model_of_the_variables_comes_first(read):
    found = read(table('name = "b"', f'url = "{URL}"'), WORKBENCH_MODEL_URL=URL, WORKBENCH_MODEL_NAME="a")
    assert [model.name for model in found] == ["a", "b"]


def test_another_file_can_be_named(read, tmp_path):
    file = tmp_path / "other.toml"
    file.write_text(table('name = "x"', f'url = "{URL}"'))
    assert [model.name for model in read(WORKBENCH_MODELS=str(file))] == ["x"]
    with pytest.raises(Invalid, match=r"nowhere\.toml cannot be read"):
        read(WORKBENCH_MODELS=str(tmp_path / "nowhere.toml"))


def test_what_is_written_wins_over_what_a_provider_fills_in(read):
    [model] = read(table('name = "a"', 'provider = "vllm"', 'url = "http://gpu:8001/v1"'))
    assert model.url == "http://gpu:8001/v1"
    [model] = read(table('name = "a"', 'provider = "openai"', 'key_env = ""'))
    assert model.key_env == ""


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("name = 5", "name"), ('name = ""', "name"), ('url = "ftp://x"', "url"), ("url = 7", "url"),
        ('provider = "nobody"', "provider"), ('auth = "magic"', "auth"), ("timeout_seconds = 0", "timeout_seconds"),
        ('timeout_seconds = "10"', "timeout_seconds"), ("concurrency = 0", "concurrency"),
        ("concurrency = true", "concurrency"), ("concurrency = 1.5", "concurrency"),
        ("requests_per_minute = -1", "requests_per_minute"), ("tokens_per_minute = nan", "tokens_per_minute"),
        ("price = 5", "price"), ("price = {in = -1}", "price.in"), ("price = {out = inf}", "price.out"),
        ('price = {in = 1, currency = "$"}', "price.currency"), ("price = {input = 1}", "price.input"),
        ('structured = "xml"', "structured"), ('reads_pictures = "yes"', "reads_pictures"),
        ("sends_seed = 1", "sends_seed"), ("colour = 3", "colour"), ('key_env = "my key"', "key_env"),
        ("key_env = 3", "key_env"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_file_table_and_field(read, tmp_path, line, field):
    lines = {"name": 'name = "second"', "url": f'url = "{URL}"'} | {line.split(" = ")[0]: line}
    with pytest.raises(Invalid) as raised:
        read(table('name = "first"', f'url = "{URL}"') + table(*lines.values()))
    assert f"{tmp_path / 'models.toml'}, [[model]] 2" in raised.value.message
    assert f": {field} " in raised.value.message


@pytest.mark.parametrize(
    "line",
    [f'key = "{KEY}"', f'api_key = "{KEY}"', f'Token = "{KEY}"', f'key_env = "{KEY}"', f'auth = "{KEY}"',
     f'{KEY} = "x"', f'structured = "{KEY}"', f'price = {{token = "{KEY}"}}'],
)  # fmt: skip
def test_a_key_in_the_file_is_refused_and_not_shown(read, line):
    with pytest.raises(Invalid) as raised:
        read(table('name = "a"', f'url = "{URL}"', line))
    assert KEY not in f"{raised.value} {raised.value.hint}"
    if line.startswith(("key =", "api_key", "Token")):
        assert "keys do not belong into this file" in raised.value.message
        assert "key_env" in raised.value.hint


@pytest.mark.parametrize(
    ("toml", "words"),
    [("[[model]\n", "is not TOML"), ('[model]\nname = "a"', "only [[model]] tables"), ("[other]\n", "“other”"),
     ("model = [1]", "only [[model]] tables")],
)  # fmt: skip
def test_a_file_that_is_no_list_of_models_is_refused(read, toml, words):
    with pytest.raises(Invalid) as raised:
        read(toml)
    assert words in raised.value.message


def test_two_models_may_not_have_the_same_name(read):
    with pytest.raises(Invalid, match=r"models\.toml, name: two models are called “a”"):
        read(table('name = "a"', f'url = "{URL}"') * 2)
    with pytest.raises(Invalid, match="two models are called “a”"):
        read(table('name = "a"', f'url = "{URL}"'), WORKBENCH_MODEL_URL=URL, WORKBENCH_MODEL_NAME="a")


def test_a_model_without_an_address_says_so(read):
    with pytest.raises(Invalid, match="url is missing"):
        read(table('name = "a"'))
    with pytest.raises(Invalid, match="url is missing") as raised:
        read(table('name = "a"', 'provider = "databricks"'))
    assert "DATABRICKS_HOST" in raised.value.hint


def test_a_databricks_model_needs_its_name_and_no_key(read):
    host = {"WORKBENCH_MODEL_AUTH": "databricks", "DATABRICKS_HOST": "https://adb-1.azuredatabricks.net"}
    with pytest.raises(Invalid, match="WORKBENCH_MODEL_NAME is missing"):
        read(**host)
    with pytest.raises(Invalid, match="WORKBENCH_MODEL_KEY does not go with") as raised:
        read(**host, WORKBENCH_MODEL_NAME="chat", WORKBENCH_MODEL_KEY=KEY)
    assert KEY not in str(raised.value)
    for line, words in (('model = ""', "model is missing"), ('key_env = "MY_KEY"', "key_env does not go with")):
        with pytest.raises(Invalid, match=words):
            read(table('name = "a"', 'provider = "databricks"', line), DATABRICKS_HOST=host["DATABRICKS_HOST"])


def test_neither_key_nor_password_is_in_the_text_of_settings(tmp_path):
    env = {"WORKBENCH_HOME": str(tmp_path), "WORKBENCH_MODEL_URL": URL, "WORKBENCH_MODEL_KEY": KEY}
    settings = read_settings(env)
    assert KEY not in f"{settings!r} {settings.models!r} {settings.models[0]}"
    hidden = read_settings({**env, "WORKBENCH_MODEL_KEY": "", "WORKBENCH_MODEL_URL": f"http://a:{KEY}@gpu/v1"})
    assert KEY not in f"{hidden!r} {hidden.models!r}"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["x = " + "[" * 5_000 + "]" * 5_000], "too deeply nested"),
        (["price = " + "{a = " * 3_000 + "1" + "}" * 3_000], "too deeply nested"),
        (["concurrency = " + "9" * 5_000], "cannot be read"),
        (["requests_per_minute = " + "9" * 400], "requests_per_minute is"),
        (["timeout_seconds = 1e300"], "timeout_seconds is"),
        (["price = {in = 1e308}"], "price.in is"),
        (["price = {out = 1e10}"], "a million tokens can cost 1,000,000,000 at most"),
    ],
)
def test_a_file_that_is_damaged_or_absurd_is_told_in_a_sentence(read, lines, words):
    with pytest.raises(Invalid, match=words):
        read(table('name = "a"', f'url = "{URL}"', *lines))


@pytest.mark.parametrize("file", ["/tmp/\x00x", "~nobody-of-this-name/models.toml"])
def test_a_file_that_cannot_be_named_is_told_in_a_sentence(read, file):
    with pytest.raises(Invalid, match="cannot be read"):
        read(WORKBENCH_MODELS=file)


def test_a_file_with_a_byte_order_mark_is_read(read):
    assert [model.name for model in read("\ufeff" + table('name = "a"', f'url = "{URL}"'))] == ["a"]


def test_no_server_listens_on_port_0(read):
    with pytest.raises(Invalid, match="is not an http address"):
        read(WORKBENCH_MODEL_URL="http://localhost:0/v1")
