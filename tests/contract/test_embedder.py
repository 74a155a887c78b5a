"""An embedder turns texts into unit vectors that are close when the texts mean alike."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from workbench_core.adapters.local import models
from workbench_core.adapters.local.models import Weights, embedder
from workbench_core.errors import Unavailable
from workbench_core.ports import Embedder
from workbench_core.settings import read_settings


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    found = embedder(read_settings({"WORKBENCH_HOME": str(tmp_path_factory.mktemp("home"))}))
    if not found.availability().is_ready:
        pytest.skip(found.availability().reason)
    return found


def test_vectors_have_the_promised_shape_and_length_one(minilm: Embedder) -> None:
    vectors = minilm.embed(["A late parcel.", "", "Ein Satz auf Deutsch.", "word " * 2000])
    assert vectors.shape == (4, minilm.dimension) == (4, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_no_texts_give_no_vectors(minilm: Embedder) -> None:
    assert minilm.embed([]).shape == (0, minilm.dimension)


def test_texts_that_mean_alike_are_close(minilm: Embedder) -> None:
    asked, alike, other = minilm.embed(
        ["How do I reset my password?", "I cannot log in and forgot my login code.", "The soup was too salty."]
    )
    assert asked @ alike > 0.4 > 0.2 > asked @ other


def test_a_vector_does_not_depend_on_its_batch(minilm: Embedder) -> None:
    texts = [f"Sentence {number}. " + "More words here. " * (number % 9) for number in range(70)]
    together = minilm.embed(texts)
    for position in (0, 8, 33, 69):
        alone = minilm.embed([texts[position]])[0]
        assert np.allclose(together[position], alone, atol=1e-4)


def test_missing_weights_are_named_with_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "ONNX_DATA", Weights("MiniLM", "no_such_package", "model.onnx", "0" * 64))
    absent = models.MiniLmEmbedder(tmp_path)
    availability = absent.availability()
    assert not availability.is_ready
    assert "MiniLM" in availability.reason
    assert "requirements-weights.txt" in availability.hint
    with pytest.raises(Unavailable):
        absent.embed(["text"])


def test_asking_for_availability_loads_no_engine(minilm: Embedder, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from workbench_core.adapters.local.models import MiniLmEmbedder, "
        "TinyLocalModel; home = Path(sys.argv[1]); "
        "assert MiniLmEmbedder(home).availability().is_ready; TinyLocalModel(home).availability(); "
        "print([name for name in ('onnxruntime', 'tokenizers', 'xllamacpp', 'openai') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
