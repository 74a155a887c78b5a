"""The registered models of the serving tests; run as a script, so that the tests need not import MLflow themselves."""

from __future__ import annotations

import sys
from pathlib import Path

CODE = """
import time
import mlflow
import pandas as pd


class Model(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        {loading}

    def predict(self, context, model_input, params=None):
        texts = model_input["text"].astype(object).tolist()
        if "fail" in texts:
            raise ValueError("this text cannot be read")
        time.sleep(sum(float(text.split()[1]) for text in texts if str(text).startswith("sleep ")))
        answers = [{answer} for text in texts]
        confidences = [0.75 if text else float("nan") for text in texts]
        return pd.DataFrame({{"prediction": answers, "confidence": confidences}})


mlflow.models.set_model(Model())
"""
SHOUT = ("pass", "text.upper()")
ALWAYS_B = ("pass", "'B'")
CANNOT_BE_LOADED = ("raise RuntimeError('the weights are missing')", "''")
ECHO = ("pass", "None if text == 'silent' else text")
VERSIONS = (("reviews", SHOUT), ("reviews", ALWAYS_B), ("reviews", CANNOT_BE_LOADED), ("echo", ECHO))


def register(home: Path) -> None:
    """Register the versions in a home, where a trainer puts them too."""
    from workbench_core.adapters.local.tracking import MlflowTracker

    tracker = MlflowTracker(home)
    experiment = tracker.client().create_experiment("serving", tracker.artifacts.as_uri())
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema

    mlflow.set_tracking_uri(tracker.uri)
    mlflow.set_registry_uri(tracker.uri)
    mlflow.set_experiment(experiment_id=experiment)
    inputs = Schema([ColSpec("string", "text"), ColSpec("string", "note")])
    outputs = Schema([ColSpec("string", "prediction"), ColSpec("double", "confidence")])
    for name, (loading, answer) in VERSIONS:
        code = home / "model_code.py"
        code.write_text(CODE.format(loading=loading, answer=answer))
        mlflow.pyfunc.log_model(
            name="model",
            python_model=str(code),
            signature=ModelSignature(inputs=inputs, outputs=outputs),
            pip_requirements=["mlflow"],
            registered_model_name=name,
        )


if __name__ == "__main__":
    register(Path(sys.argv[1]))
