"""Small charts as inline SVG, each with its numbers in words and in a table.

Belongs here: turning rows into coordinates and sentences. No style (that is the style sheet's) and no script.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from top5.digests.render import short_date
from top5.site.archive import ArchivedDay

DAYS: Final = 90
"""How many days are plotted, at most."""
_WIDTH, _HEIGHT = 640, 96
_LEFT, _RIGHT, _TOP, _BOTTOM = 4, 4, 8, 6


@dataclass(frozen=True)
class Chart:
    """One measure over days. `path` is SVG path data of the line, `area` of what is under it; `rows` are (day, value) in words, newest first."""

    name: str
    meaning: str
    now: str
    summary: str
    path: str
    area: str
    dot: tuple[float, float] | None
    first: str
    last: str
    top: str
    rows: tuple[tuple[str, str], ...]
    width: int = _WIDTH
    height: int = _HEIGHT


@dataclass(frozen=True)
class QualityView:
    """The page of plots. `known` is False where the mart was not built yet and only the archive itself can be told of."""

    known: bool
    charts: tuple[Chart, ...]


def _percent(value: float) -> str:
    return f"{value * 100:.0f} %" if value in (0, 1) or 0.1 <= value < 0.995 else f"{value * 100:.1f} %"


def _dollars(value: float) -> str:
    return f"${value:.2f}"


def _number(value: float) -> str:
    return f"{value:.0f}"


_MEASURES: Final[Sequence[tuple[str, str, str, Callable[[float], str], float | None]]] = (
    ("feeds_healthy_share", "Feeds healthy", "feeds whose last scan worked, of all followed", _percent, 1.0),
    ("transcript_coverage", "Transcript coverage", "episodes with words to read, of all that came out", _percent, 1.0),
    (
        "grounded_share",
        "Grounded",
        "candidates whose quotes were found in the transcript, of all that an engine gave",
        _percent,
        1.0,
    ),
    ("cost_usd", "Cost", "what a day's transcripts and insights cost, in US dollars", _dollars, None),
    ("delivery_share", "Delivered", "mails that were taken by the reader's server, of all that were due", _percent, 1.0),
)


def quality_view(rows: Sequence[Mapping[str, Any]], days: Sequence[ArchivedDay]) -> QualityView:
    """Charts of the mart's latest rows (oldest first), and of how many insights each day of the archive (newest first) has."""
    recent = rows[-DAYS:]
    charts: list[Chart] = []
    for column, name, meaning, words, top in _MEASURES:
        points = [(date.fromisoformat(row["day"]), row.get(column)) for row in recent]
        drawn = chart(name, meaning, points, words, top)
        if drawn is not None:
            charts.append(drawn)
    chosen = [(day.day, float(day.insights)) for day in reversed(days[:DAYS])]
    drawn = chart("Insights", "insights in the day's digest", chosen, _number, None)
    return QualityView(known=bool(charts), charts=(*charts, *([drawn] if drawn else [])))


def chart(
    name: str, meaning: str, points: Sequence[tuple[date, float | None]], words: Callable[[float], str], top: float | None
) -> Chart | None:
    """A line over days, oldest first; a day without a value is a gap. The axis ends at `top`, or at the largest value. None without any value."""
    known = [(day, value) for day, value in points if value is not None]
    if not known:
        return None
    first, last = points[0][0], points[-1][0]
    span = max((last - first).days, 1)
    highest = top if top is not None else max(max(value for _, value in known), 1e-9)

    def place(day: date, value: float) -> tuple[float, float]:
        x = _LEFT + (day - first).days / span * (_WIDTH - _LEFT - _RIGHT)
        y = _HEIGHT - _BOTTOM - min(max(value / highest, 0.0), 1.0) * (_HEIGHT - _TOP - _BOTTOM)
        return round(x, 1), round(y, 1)

    runs: list[list[tuple[float, float]]] = [[]]
    for day, value in points:
        if value is None:
            runs.append([])
        else:
            runs[-1].append(place(day, value))
    drawn = [run for run in runs if run]
    # A day between two gaps would be a line without length.
    lines = [run if len(run) > 1 else [run[0], (run[0][0] + 1.5, run[0][1])] for run in drawn]
    base = _HEIGHT - _BOTTOM
    path = " ".join("M" + " L".join(f"{x:g} {y:g}" for x, y in line) for line in lines)
    area = " ".join(
        f"M{line[0][0]:g} {base} L" + " L".join(f"{x:g} {y:g}" for x, y in line) + f" L{line[-1][0]:g} {base}Z" for line in lines
    )
    values = [value for _, value in known]
    mean = sum(values) / len(values)
    now = words(known[-1][1])
    low = min(known, key=lambda item: item[1])
    summary = (
        f"{name}, {_span(first, last)}: {now} at last, {words(mean)} on average, lowest {words(low[1])} on {short_date(low[0])}, "
        f"highest {words(max(values))}."
    )
    return Chart(
        name=name,
        meaning=meaning,
        now=now,
        summary=summary,
        path=path,
        area=area,
        dot=place(*known[-1]),
        first=short_date(first),
        last=short_date(last),
        top=words(highest) if top is not None or max(values) > 0 else "",
        rows=tuple(
            (short_date(day), words(value) if value is not None else "not known") for day, value in reversed(points[-14:])
        ),
    )


def _span(first: date, last: date) -> str:
    return f"on {short_date(first)}" if first == last else f"{short_date(first)} to {short_date(last)}"
