"""Trains the salience model on the graded passages and says how well it does on shows that it has never seen.

    python -m evals.train CORPUS            # prints the table and writes top5/insights/data/salience.json
    python -m evals.train CORPUS --dry-run  # prints the table only

Belongs here: fitting and judging. The features are the product's own (`top5.insights.score`).
Method: L2-regularised logistic regression (grade >= 2 against <= 1) by Newton's method, standardised features; each show is scored
by a model trained on the others. AUC with 95 % bootstrap intervals.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evals.passages import by_id
from top5.insights import salience as shape
from top5.insights.embed import Embedder
from top5.insights.score import measure_text
from top5.weights import find_embedding_model

LABELS = Path(__file__).parent / "labels" / "passages.jsonl"
MODEL = Path(shape.__file__).parent / "data" / "salience.json"
VERSION = "2026-11-22"
PENALTY = 33.0  # of squared weights; 0.003 to 1 times the data's weight differ by less than 0.01 of AUC
BOOTSTRAPS = 1000
Floats = NDArray[np.float64]


def fit(x: Floats, y: Floats, penalty: float = PENALTY) -> tuple[Floats, float]:
    """Weights and intercept of the penalised logistic regression; the intercept is not penalised."""
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


def auc(score: Floats, y: Floats) -> float:
    """The share of (good, other) pairs that the score puts in the right order; ties count half."""
    order = np.argsort(score, kind="stable")
    _, inverse, counts = np.unique(score[order], return_inverse=True, return_counts=True)
    ranks = np.empty(len(score))
    ranks[order] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    good = y.sum()
    return float((ranks[y == 1].sum() - good * (good + 1) / 2) / (good * (len(y) - good)))


def interval(score: Floats, y: Floats) -> tuple[float, float]:
    """95 % bootstrap interval of the AUC."""
    rng = np.random.default_rng(0)
    values: list[float] = []
    while len(values) < BOOTSTRAPS:
        chosen = rng.integers(0, len(y), len(y))
        if 0 < y[chosen].sum() < len(y):
            values.append(auc(score[chosen], y[chosen]))
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def kappa(pairs: list[tuple[int, int]], grades: int = 4) -> float:
    """Quadratic weighted kappa of two gradings (Cohen 1968)."""
    observed = np.zeros((grades, grades))
    for one, two in pairs:
        observed[one, two] += 1
    expected = np.outer(observed.sum(1), observed.sum(0)) / observed.sum()
    weight = np.fromfunction(lambda i, j: (i - j) ** 2, (grades, grades))
    return float(1 - (weight * observed).sum() / (weight * expected).sum())


def main(corpus: Path, *, write: bool) -> None:
    """Print agreement, the table of AUCs and the weights; write the model trained on everything."""
    labels = [json.loads(line) for line in LABELS.open(encoding="utf-8")]
    known = by_id(corpus)
    texts, kept = [], []
    for label in labels:
        episode = known.get((label["show"], label["episode"]))
        text = " ".join(episode.words[label["first"] : label["last"]]) if episode else ""
        if hashlib.sha256(text.encode()).hexdigest()[:8] == label["check"]:
            texts.append(text)
            kept.append(label)
    print(f"{len(kept)} of {len(labels)} graded passages found again")
    pairs = [(label["grade"], label["again"]) for label in kept if "again" in label]
    print(f"quadratic kappa of {len(pairs)} passages graded twice: {kappa(pairs):.2f}\n")

    measured = [dict(measure_text(text).features) for text in texts]
    names = list(measured[0])
    x = np.array([[row[name] for name in names] for row in measured])
    y = np.array([float(label["grade"] >= 2) for label in kept])
    shows = np.array([label["show"] for label in kept])

    def held_out(show: str) -> Floats:
        train = shows != show
        mean, scale = x[train].mean(0), x[train].std(0) + 1e-6
        weights, intercept = fit((x[train] - mean) / scale, y[train])
        return (x[shows == show] - mean) / scale @ weights + intercept

    baselines: dict[str, Callable[[str], Floats]] = {
        "trained, show left out": held_out,
        "length in words": lambda show: x[shows == show, names.index("length")],
        "claim-marker words": lambda show: x[shows == show][:, [names.index(n) for n in ("cause", "consequence", "measure")]].sum(
            1
        ),
        "centrality in its show": _centrality(texts, shows),
    }
    print(f"{'AUC of grade >= 2':<24}" + "".join(f"{show:>22}" for show in sorted(set(shows))))
    for name, score in baselines.items():
        cells: list[str] = []
        for show in sorted(set(shows)):
            mine = score(show)
            low, high = interval(mine, y[shows == show])
            cells.append(f"{auc(mine, y[shows == show]):.2f} ({low:.2f}-{high:.2f})")
        print(f"{name:<24}" + "".join(f"{cell:>22}" for cell in cells))

    mean, scale = x.mean(0), x.std(0) + 1e-6
    weights, intercept = fit((x - mean) / scale, y)
    print("\nweights (standardised), largest first")
    for weight, name in sorted(zip(weights, names, strict=True), key=lambda pair: -abs(pair[0])):
        print(f"  {weight:+.2f}  {name}")
    if write:
        entries = {
            name: {"weight": round(float(w), 5), "mean": round(float(m), 5), "scale": round(float(s), 5)}
            for name, w, m, s in zip(names, weights, mean, scale, strict=True)
        }
        data = {"version": VERSION, "passages": len(kept), "intercept": round(intercept, 5), "features": entries}
        MODEL.write_text(json.dumps(data, indent=1) + "\n", "utf-8")


def _centrality(texts: list[str], shows: NDArray[np.str_]) -> Callable[[str], Floats]:
    files = find_embedding_model(None)
    if files is None:
        return lambda show: np.zeros(int((shows == show).sum()))
    vectors = Embedder(files.path).embed(texts).astype(np.float64)
    return lambda show: vectors[shows == show] @ vectors[shows == show].mean(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), write="--dry-run" not in sys.argv)
