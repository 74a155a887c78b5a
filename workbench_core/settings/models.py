"""Which language models are configured: the variables of one model, and a TOML file with any number of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from workbench_core.errors import Invalid
from workbench_core.ports import TokenPrice

TIMEOUT_SECONDS = 120.0
CONCURRENCY = 8
MOST_CONCURRENCY = 1024
AUTHS = ("key", "databricks")
STRUCTURED = ("auto", "json_schema", "json_object", "none")
DATABRICKS_PATH = "/serving-endpoints"
PROVIDERS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "openai": {"url": "https://api.openai.com/v1", "key_env": "OPENAI_API_KEY"},
        "ollama": {"url": "http://localhost:11434/v1"},
        "vllm": {"url": "http://localhost:8000/v1"},
        "lm_studio": {"url": "http://localhost:1234/v1"},
        "databricks": {"auth": "databricks"},
    }
)
FIELDS = (
    "name", "title", "provider", "url", "model", "key_env", "auth", "timeout_seconds", "concurrency",
    "requests_per_minute", "tokens_per_minute", "price", "structured", "reads_pictures", "sends_seed",
)  # fmt: skip
OF_ONE_MODEL = (
    "URL", "NAME", "KEY", "AUTH", "TIMEOUT", "CONCURRENCY", "REQUESTS_PER_MINUTE", "TOKENS_PER_MINUTE", "PRICE_IN",
    "PRICE_OUT", "PRICE_CURRENCY", "PICTURES", "STRUCTURED",
)  # fmt: skip
PRICE_FIELDS = ("in", "out", "currency")
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")  # capitals only, so that a key put here by mistake is not taken for a name
LIKE_A_KEY = re.compile(r"[^\s/]{20,}")
SECRET_WORDS = ("key", "token", "secret", "password", "authorization")
LONGEST_NAME = 120
MOST_AMOUNT = 1e15  # of any number; infinity and what is no number is more, and so is what no float holds
MOST_PRICE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """One configured language model, behind an OpenAI-compatible address.

    `name` tells it from the others; `model` is the name the endpoint knows, and when empty the only model that the
    endpoint lists is taken. `url` ends before `/chat/completions`. `auth` is "key", or "databricks" for a sign-in by
    databricks-sdk. `key_env` is the variable that holds the key. Rate limits of 0 are none. `price` is per million
    tokens. `structured` is how the answer is held to a schema: "auto" finds out what the endpoint understands.
    """

    name: str
    url: str
    title: str = ""
    model: str = ""
    key: str = field(default="", repr=False)
    key_env: str = ""
    auth: str = "key"
    timeout_seconds: float = TIMEOUT_SECONDS
    concurrency: int = CONCURRENCY
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    price: TokenPrice | None = None
    structured: str = "auto"
    reads_pictures: bool = False
    sends_seed: bool = True

    def __repr__(self) -> str:
        """Neither the key nor the address, which may hold a password."""
        return f"ModelSettings(name={self.name!r}, model={self.model!r}, auth={self.auth!r})"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where values were read: the field's name in words for the person, and the environment for keys."""

    words: Callable[[str], str]
    env: Mapping[str, str]

    def wrong(self, name: str, problem: str, hint: str = "") -> Invalid:
        return Invalid(f"{self.words(name)} {problem}.", hint=hint)


def read_models(env: Mapping[str, str], *, home: Path, timeout_seconds: float) -> tuple[ModelSettings, ...]:
    """The models of the environment: that of the `WORKBENCH_MODEL_*` variables, then those of the TOML file.

    The file is `WORKBENCH_MODELS`, or `<home>/models.toml` when it is there. Each `[[model]]` table has a `name`, a
    `url` or a `provider`, and any other field of ModelSettings; `model` is the name when it is left out, `price` is
    `{in = 0.15, out = 0.6, currency = "USD"}`, and `key_env` names the variable that holds the key; a key itself is
    refused. A provider only fills what is left out: openai (its address, OPENAI_API_KEY), ollama, vllm and lm_studio
    (their usual ports on this machine), databricks (sign-in by databricks-sdk; the address from DATABRICKS_HOST).
    Raises Invalid, naming the variable, or file, table and field.
    """
    found = _of_variables(env, timeout_seconds)
    if file := _file(env, home):
        found += [
            _of_table(table, file=file, number=number, env=env, timeout_seconds=timeout_seconds)
            for number, table in enumerate(_tables(file), start=1)
        ]
    _check_names(found, str(file or ""))
    return tuple(found)


# --- the variables of one model --------------------------------------------------------------------------------------


def _of_variables(env: Mapping[str, str], timeout_seconds: float) -> list[ModelSettings]:
    place = _Place(lambda name: f"WORKBENCH_MODEL_{name}", env)
    for variable in env:
        name = variable.removeprefix("WORKBENCH_MODEL_")
        if name != variable and name not in OF_ONE_MODEL:
            raise place.wrong(name, "is not a variable of a model", f"Use: {', '.join(OF_ONE_MODEL)}.")
    auth = _one_of(place, "AUTH", env.get("WORKBENCH_MODEL_AUTH") or "key", AUTHS)
    url = env.get("WORKBENCH_MODEL_URL", "").strip() or (_databricks_url(env) if auth == "databricks" else "")
    values = {
        "timeout_seconds": timeout_seconds,
        "concurrency": _whole(
            place, "CONCURRENCY", _number(env, "CONCURRENCY", place, CONCURRENCY), least=1, most=MOST_CONCURRENCY
        ),
        "requests_per_minute": _variable_limit(place, "REQUESTS_PER_MINUTE"),
        "tokens_per_minute": _variable_limit(place, "TOKENS_PER_MINUTE"),
        "price": _variable_price(place),
        "structured": _one_of(place, "STRUCTURED", env.get("WORKBENCH_MODEL_STRUCTURED") or "auto", STRUCTURED),
        "reads_pictures": _variable_flag(place, "PICTURES"),
    }
    if not url:
        return []
    key = _key(place, "KEY", env.get("WORKBENCH_MODEL_KEY", ""))
    if auth == "databricks" and key:
        raise place.wrong("KEY", "does not go with WORKBENCH_MODEL_AUTH=databricks", "Leave one of them out.")
    _check_address(place, "URL", url, has_key=bool(key), auth=auth)
    model = env.get("WORKBENCH_MODEL_NAME", "").strip()
    if auth == "databricks" and not model:
        raise place.wrong("NAME", "is missing", "Give the name of the serving endpoint.")
    name = _name(place, "NAME", model or server_of(url))
    return [ModelSettings(name, url, model=model, key=key, key_env="WORKBENCH_MODEL_KEY", auth=auth, **values)]  # type: ignore[arg-type]


def _number(env: Mapping[str, str], name: str, place: _Place, default: float) -> object:
    text = env.get(f"WORKBENCH_MODEL_{name}", "").strip()
    if not text:
        return default
    try:
        return float(text)
    except ValueError:
        raise place.wrong(name, f"is “{text}”, which is not a number") from None


def _variable_limit(place: _Place, name: str) -> int:
    return _whole(place, name, _number(place.env, name, place, 0), least=0)


def _variable_price(place: _Place) -> TokenPrice | None:
    given = {
        name: _price(place, name, _number(place.env, name, place, 0))
        for name in ("PRICE_IN", "PRICE_OUT")
        if place.env.get(f"WORKBENCH_MODEL_{name}", "").strip()
    }
    if not given:
        return None
    currency = _currency(place, "PRICE_CURRENCY", place.env.get("WORKBENCH_MODEL_PRICE_CURRENCY") or "USD")
    return TokenPrice(given.get("PRICE_IN", 0.0), given.get("PRICE_OUT", 0.0), currency)


def _variable_flag(place: _Place, name: str) -> bool:
    text = place.env.get(f"WORKBENCH_MODEL_{name}", "").strip().lower()
    if text not in ("", "0", "1", "no", "yes", "false", "true"):
        raise place.wrong(name, f"is “{text}”", "Use yes or no.")
    return text in ("1", "yes", "true")


# --- the file --------------------------------------------------------------------------------------------------------


def _file(env: Mapping[str, str], home: Path) -> Path | None:
    named = env.get("WORKBENCH_MODELS", "").strip()
    if named:
        try:
            return Path(named).expanduser()
        except RuntimeError:  # the home of somebody who is not there
            return Path(named)
    usual = home / "models.toml"
    return usual if usual.is_file() else None


def _tables(file: Path) -> list[dict[str, object]]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        problem = f"The file of models {file} cannot be read: {error.strerror}."
        raise Invalid(problem, hint="Correct WORKBENCH_MODELS, or put the file there.") from None
    except UnicodeDecodeError:
        raise Invalid(f"The file of models {file} is not UTF-8 text.") from None
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"The file of models {file} is not TOML: {error}.") from None
    except RecursionError:
        raise Invalid(f"The file of models {file} is too deeply nested.", hint="See the README.") from None
    except ValueError as error:  # a number with thousands of digits, or NUL in the name of the file
        reason = str(error).partition(":")[0]
        raise Invalid(f"The file of models {_shown(file)} cannot be read: {reason}.", hint="Correct it.") from None
    tables = content.pop("model", [])
    if content or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        stray = next(iter(content), "model")
        raise Invalid(f"{file}: only [[model]] tables may stand there, not “{_shown(stray)}”.", hint="See the README.")
    return tables


def _of_table(
    table: Mapping[str, object], *, file: Path, number: int, env: Mapping[str, str], timeout_seconds: float
) -> ModelSettings:
    named = table.get("name")
    which = f"[[model]] {number}" + (f" “{_shown(named)}”" if isinstance(named, str) and named else "")
    place = _Place(lambda name: f"{file}, {which}: {name}", env)
    _check_fields(place, table, FIELDS)
    provider = _one_of(place, "provider", table.get("provider", ""), ("", *PROVIDERS))
    values = {**PROVIDERS.get(provider, {}), **table}
    name = _name(place, "name", values.get("name", ""))
    model = _text(place, "model", values.get("model", name))
    auth = _one_of(place, "auth", values.get("auth", "key"), AUTHS)
    key_env = _key_variable(place, values.get("key_env", ""))
    if auth == "databricks" and key_env:
        raise place.wrong("key_env", "does not go with auth = “databricks”", "Leave one of them out.")
    if auth == "databricks" and not model:
        raise place.wrong("model", "is missing", "Give the name of the serving endpoint.")
    key = _key(place, f"key_env ({key_env})", env.get(key_env, "")) if key_env else ""
    url = _text(place, "url", values.get("url", "")) or (_databricks_url(env) if auth == "databricks" else "")
    _check_address(place, "url", url, has_key=bool(key_env), auth=auth)
    return ModelSettings(
        name=name,
        url=url,
        title=_text(place, "title", values.get("title", "")),
        model=model,
        key=key,
        key_env=key_env,
        auth=auth,
        timeout_seconds=_above_zero(place, "timeout_seconds", values.get("timeout_seconds", timeout_seconds)),
        concurrency=_whole(
            place, "concurrency", values.get("concurrency", CONCURRENCY), least=1, most=MOST_CONCURRENCY
        ),
        requests_per_minute=_whole(place, "requests_per_minute", values.get("requests_per_minute", 0), least=0),
        tokens_per_minute=_whole(place, "tokens_per_minute", values.get("tokens_per_minute", 0), least=0),
        price=_table_price(place, values.get("price")),
        structured=_one_of(place, "structured", values.get("structured", "auto"), STRUCTURED),
        reads_pictures=_flag(place, "reads_pictures", values.get("reads_pictures", False)),
        sends_seed=_flag(place, "sends_seed", values.get("sends_seed", True)),
    )


def _check_fields(place: _Place, table: Mapping[str, object], allowed: Sequence[str]) -> None:
    for name in table:
        if name in allowed:
            continue
        if any(word in name.lower() for word in SECRET_WORDS) and name.lower() != "tokens":
            raise place.wrong(
                _shown(name),
                "looks like a key, and keys do not belong into this file",
                "Put the key into an environment variable and name that variable in key_env.",
            )
        raise place.wrong(_shown(name), "is not a field of a model", f"Use: {', '.join(allowed)}.")


def _key_variable(place: _Place, value: object) -> str:
    """The name of a variable; what is none is not shown, as it may be the key itself."""
    if value == "":
        return ""
    if not isinstance(value, str) or not VARIABLE.fullmatch(value):
        raise place.wrong(
            "key_env",
            "is not the name of an environment variable",
            "Write the name of the variable that holds the key, such as OPENAI_API_KEY; never the key itself.",
        )
    return value


def _table_price(place: _Place, value: object) -> TokenPrice | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not value:
        raise place.wrong("price", "is not a table", 'Write price = {in = 0.15, out = 0.6, currency = "USD"}.')
    _check_fields(_Place(lambda name: place.words(f"price.{name}"), place.env), value, PRICE_FIELDS)
    return TokenPrice(
        _price(place, "price.in", value.get("in", 0)),
        _price(place, "price.out", value.get("out", 0)),
        _currency(place, "price.currency", value.get("currency", "USD")),
    )


# --- single values ---------------------------------------------------------------------------------------------------


def _check_names(models: Iterable[ModelSettings], file: str) -> None:
    seen: set[str] = set()
    for model in models:
        if model.name in seen:
            where = f"{file}, name" if file else "WORKBENCH_MODEL_NAME"
            raise Invalid(f"{where}: two models are called “{model.name}”.", hint="Give each model its own name.")
        seen.add(model.name)


def _check_address(place: _Place, name: str, url: str, *, has_key: bool, auth: str) -> None:
    """An address with a host; the address itself is not shown, as it may hold a password."""
    if not url:
        hint = "Set it, or DATABRICKS_HOST." if auth == "databricks" else "Give the address that ends before /chat."
        raise place.wrong(name, "is missing", hint)
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or re.search(r"\s", url):
        raise place.wrong(name, "is not an http address", "For example http://localhost:11434/v1.")
    if parts.password and (has_key or auth == "databricks"):
        raise place.wrong(name, "holds a password, and there is another sign-in as well", "Leave one of them out.")


def server_of(url: str) -> str:
    """Host and port of an address, without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _databricks_url(env: Mapping[str, str]) -> str:
    host = env.get("DATABRICKS_HOST", "").strip().rstrip("/")
    if not host:
        return ""
    return (host if "://" in host else f"https://{host}") + DATABRICKS_PATH


def _name(place: _Place, name: str, value: object) -> str:
    text = _text(place, name, value)
    if not text:
        raise place.wrong(name, "is missing", "Give the model a name of its own.")
    if len(text) > LONGEST_NAME:
        raise place.wrong(name, f"is longer than {LONGEST_NAME} characters")
    return text


def _text(place: _Place, name: str, value: object) -> str:
    if not isinstance(value, str) or not all(character.isprintable() for character in value):
        raise place.wrong(name, "is not a text on one line", "Put it in quotation marks.")
    return value.strip()


def _key(place: _Place, name: str, value: str) -> str:
    key = value.strip()
    if not all("!" <= character <= "~" for character in key):
        raise place.wrong(name, "holds a key with blanks or special characters", "Set the variable again.")
    return key


def _one_of(place: _Place, name: str, value: object, allowed: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise place.wrong(name, f"is “{_shown(value)}”", f"Use one of: {', '.join(filter(None, allowed))}.")
    return value


def _flag(place: _Place, name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise place.wrong(name, f"is “{_shown(value)}”", "Use true or false.")
    return value


def _amount(place: _Place, name: str, value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= MOST_AMOUNT:  # type: ignore[operator]
        raise place.wrong(name, f"is “{_shown(value)}”; it must be a number from zero")
    return float(value)  # type: ignore[arg-type]


def _price(place: _Place, name: str, value: object) -> float:
    price = _amount(place, name, value)
    if price > MOST_PRICE:
        raise place.wrong(name, f"is “{_shown(value)}”; a million tokens can cost {MOST_PRICE:,} at most")
    return price


def _above_zero(place: _Place, name: str, value: object) -> float:
    number = _amount(place, name, value)
    if number == 0:
        raise place.wrong(name, "is 0; it must be above zero")
    return number


def _whole(place: _Place, name: str, value: object, *, least: int, most: int = 10**12) -> int:
    number = _amount(place, name, value)
    if number != int(number) or not least <= number <= most:
        allowed = f"from {least} to {most:,}" if most < 10**12 else f"from {least}"
        raise place.wrong(name, f"is “{_shown(value)}”; it must be a whole number {allowed}")
    return int(number)


def _currency(place: _Place, name: str, value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        raise place.wrong(name, f"is “{_shown(value)}”", "Use three capitals, such as USD or EUR.")
    return value


def _shown(value: object) -> str:
    """A value for a sentence: on one line, and cut short where it may be a key in the wrong place."""
    text = " ".join(str(value).split())
    return f"{text[:4]}…" if LIKE_A_KEY.search(text) else text[:60]
