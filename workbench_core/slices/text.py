"""Text clusters: topics of short texts, kept as a small table of terms and weights so that they can be used again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CLUSTER_COLUMN = "text cluster"

_WORD_PATTERN = r"(?u)\b\w\w+\b"
_VOCABULARY = 2_000
_TERMS_PER_CLUSTER = 50
_COMPONENTS = 50
_LARGEST_K = 12
_SILHOUETTE_SAMPLE = 2_000
_FIT_SAMPLE = 20_000
_FEWEST_TEXTS = 50
_FEWEST_TERMS = 4
_TERMS_IN_NAME = 3

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TextClusters:
    """Clusters as weighted terms: a text belongs to the cluster whose terms it holds most of, or to none.

    `weights` holds one row per cluster and one column per term. The same rule assigned the texts the
    clusters were searched with, so that reading them back gives the same members.
    """

    columns: tuple[str, ...]
    names: tuple[str, ...]
    terms: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]

    def assign(self, texts: Sequence[str]) -> IntArray:
        """Give the cluster number of each text; -1 where no term of any cluster occurs."""
        from sklearn.feature_extraction.text import CountVectorizer

        counts = CountVectorizer(vocabulary=list(self.terms), token_pattern=_WORD_PATTERN).transform(texts)
        counts = counts.astype(np.float64)
        counts.data = 1 + np.log(counts.data)
        scores = np.asarray(counts @ np.array(self.weights).T)
        return np.where(scores.max(axis=1) > 0, scores.argmax(axis=1), -1).astype(np.int64)

    def to_json(self) -> str:
        """Write the clusters as JSON text."""
        return json.dumps({"columns": self.columns, "names": self.names, "terms": self.terms, "weights": self.weights})

    @staticmethod
    def from_json(text: str) -> "TextClusters":
        """Read what `to_json` wrote."""
        stored = json.loads(text)
        return TextClusters(
            columns=tuple(stored["columns"]),
            names=tuple(stored["names"]),
            terms=tuple(stored["terms"]),
            weights=tuple(tuple(row) for row in stored["weights"]),
        )


def fit_text_clusters(texts: Sequence[str], *, columns: Sequence[str], seed: int = 0) -> TextClusters | None:
    """Cluster texts: TF-IDF, truncated SVD, k-means with k from 2 to 12 by silhouette on at most 2,000 texts.

    More than 20,000 texts are fitted on a random part. None when there are fewer than 50 texts, or when they
    share too few words.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if len(texts) < _FEWEST_TEXTS:
        return None
    chosen = np.random.default_rng(seed).permutation(len(texts))[:_FIT_SAMPLE]
    weighted = _weigh_terms([texts[position] for position in chosen])
    if weighted is None:
        return None
    with threadpool_limits(1):  # on matrices this small threads cost ten times what they bring
        labels = _group(weighted.matrix, seed)
    members = [labels == number for number in np.unique(labels)]
    centroids = np.stack([np.asarray(weighted.matrix[rows].mean(axis=0)).ravel() for rows in members])
    return _describe(centroids, weighted, tuple(columns))


@dataclass(frozen=True, slots=True)
class _Weighted:
    matrix: "csr_matrix"  # TF-IDF, one row per text
    terms: npt.NDArray[np.str_]
    rarity: FloatArray


def _weigh_terms(texts: Sequence[str]) -> _Weighted | None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        max_features=_VOCABULARY,
        stop_words="english",
        sublinear_tf=True,
        min_df=3,
        max_df=0.5,
        token_pattern=_WORD_PATTERN,
    )
    try:
        matrix = vectorizer.fit_transform(texts).tocsr()
    except ValueError:  # the way scikit-learn says that no term is left
        return None
    if matrix.shape[1] < _FEWEST_TERMS:
        return None
    return _Weighted(matrix, vectorizer.get_feature_names_out(), vectorizer.idf_)


def _group(matrix: "csr_matrix", seed: int) -> IntArray:
    """Give the cluster of each row, with the number of clusters that separates a sample best."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.metrics import pairwise_distances, silhouette_score
    from sklearn.preprocessing import normalize

    components = min(_COMPONENTS, matrix.shape[1] - 1)
    points = normalize(TruncatedSVD(components, random_state=seed).fit_transform(matrix))
    sample = points[:_SILHOUETTE_SAMPLE]  # the rows come in random order
    distances = pairwise_distances(sample)
    best, best_k = -1.0, 2
    for k in range(2, _LARGEST_K + 1):
        labels = KMeans(k, n_init=2, random_state=seed).fit_predict(sample)
        score = float(silhouette_score(distances, labels, metric="precomputed")) if len(set(labels)) > 1 else -1.0
        if score > best:
            best, best_k = score, k
    return np.asarray(KMeans(best_k, n_init=4, random_state=seed).fit_predict(points), dtype=np.int64)


def _describe(centroids: FloatArray, weighted: _Weighted, columns: tuple[str, ...]) -> TextClusters:
    """Keep the heaviest terms of each cluster; name it by those that set it apart from the others."""
    lengths = np.linalg.norm(centroids, axis=1, keepdims=True)
    unit = centroids / np.maximum(lengths, 1e-12)
    heavy = np.argsort(-unit, axis=1, kind="stable")[:, :_TERMS_PER_CLUSTER]
    kept = np.zeros_like(unit)
    np.put_along_axis(kept, heavy, np.take_along_axis(unit, heavy, axis=1), axis=1)
    used = np.flatnonzero(kept.sum(axis=0))
    weights = np.round(kept * weighted.rarity, 4)[:, used]
    typical = np.argsort(unit.mean(axis=0) - unit, axis=1, kind="stable")[:, :_TERMS_IN_NAME]
    names = tuple("words: " + ", ".join(weighted.terms[row]) for row in typical)
    return TextClusters(columns, names, tuple(weighted.terms[used]), tuple(map(tuple, weights.tolist())))
