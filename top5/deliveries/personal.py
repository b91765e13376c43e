"""Personal fives: the day's candidates as each reader wants them, decided for all readers by one query.

Belongs here: the query and the digests made of its rows. Scores and fates were decided in dbt; who reads is `top5.subscribers`.
Nothing is extracted, scored or told anew: a reader's five are the day's picks that fit their wishes, then the next best candidates.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from top5.digests.compose import compose, inputs_hash
from top5.digests.model import Digest, DigestInsight
from top5.errors import PermanentError, TransientError
from top5.subscribers.model import Preferences

SHOW_CAP: Final = 2
"""Insights of one show at most, as in the day's choice."""

EPISODE_CAP: Final = 2
"""Insights of one episode at most; a second one only where nothing of another episode is left."""

NEAR: Final = 0.7
"""Cosine from which two candidates count as the same thing said twice (vectors of the lake)."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What decides a reader's choice; readers with equal wishes get the same digest. Words are normalised by `wishes_of`."""

    count: int
    topics: tuple[str, ...] = ()
    muted_topics: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    muted_shows: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether something is filtered."""
        return bool(self.topics or self.muted_topics or self.shows or self.muted_shows)


def wishes_of(preferences: Preferences) -> Wishes:
    """The part of the preferences that decides the choice."""
    return _wishes(preferences.count, preferences.topics, preferences.muted_topics, preferences.shows, preferences.muted_shows)


@lru_cache(maxsize=10_000)
def _wishes(count: int, *lists: tuple[str, ...]) -> Wishes:
    # Kept: many readers wish the same, and then they share it.
    return Wishes(count, *(tuple(sorted({words for words in map(_words, names) if words})) for names in lists))


def _words(name: str) -> str:
    return " ".join(re.findall(r"\w+", name.lower()))


# The recursion takes one insight a step for every reader: the best that is left by the day's order, an episode's second one after
# all first ones. Few readers see more than the first dozens of candidates: of one show at most 12 can matter to a cap of 2.
QUERY: Final = """
with recursive
    given as (select cast({readers} as json) as given),

    readers as (
        select unnest(from_json(given, '[{{
            "reader": "integer", "size": "integer", "topics": ["varchar"], "muted_topics": ["varchar"],
            "shows": ["varchar"], "muted_shows": ["varchar"]
        }}]'), recursive := true)
        from given
    ),

    candidates as materialized (
        select
            insight_id,
            canonical_episode_id,
            feed_id,
            trim(regexp_replace(lower(show_title), '[^\\p{{L}}\\p{{N}}_]+', ' ', 'g')) as show_words,
            ' ' || trim(regexp_replace(
                lower(concat_ws(' . ', headline, body, array_to_string(entities, ' . '), show_title, episode_title)),
                '[^\\p{{L}}\\p{{N}}_]+', ' ', 'g'
            )) || ' ' as words,
            rank is not null as is_chosen,
            row_number() over (order by rank nulls last, score desc, salience desc, insight_id) as place
        from fct_insights
        where
            day = {day}
            and (fate = 'chosen' or (fate not in ('already_told', 'below_floor') and duplicate_of is null))
    ),

    vectors as materialized (
        select lake.insight_id, lake.embedding, lake.embedding_model
        from read_parquet({vectors}) as lake
        inner join candidates using (insight_id)
        where lake.embedding is not null
    ),

    near as materialized (
        select one.insight_id, list(other.insight_id) as near_ones
        from vectors as one
        inner join vectors as other
            on one.insight_id != other.insight_id
            and one.embedding_model = other.embedding_model
            and list_cosine_similarity(one.embedding, other.embedding) >= {near}
        group by one.insight_id
    ),

    too_similar as (
        select insight_id, nearest_pick_insight_id from fct_insights where day = {day} and nearest_pick_insight_id is not null
    ),

    fitting as materialized (
        select
            readers.reader,
            readers.size,
            candidates.insight_id,
            candidates.canonical_episode_id,
            candidates.show_words,
            candidates.place,
            list_concat(coalesce(near.near_ones, []), coalesce([too_similar.nearest_pick_insight_id], [])) as near_ones
        from readers
        inner join candidates
            on (
                len(readers.topics) = 0
                or len(list_filter(readers.topics, lambda topic : contains(candidates.words, ' ' || topic || ' '))) > 0
            )
            and len(list_filter(readers.muted_topics, lambda topic : contains(candidates.words, ' ' || topic || ' '))) = 0
            and (len(readers.shows) = 0 or list_has_any(readers.shows, [candidates.feed_id, candidates.show_words]))
            and not list_has_any(readers.muted_shows, [candidates.feed_id, candidates.show_words])
        left join near on candidates.insight_id = near.insight_id
        left join too_similar on candidates.insight_id = too_similar.insight_id
        qualify row_number() over (partition by readers.reader, candidates.show_words order by candidates.place) <= 12
    ),

    taken as (
        select
            reader,
            0 as step,
            cast(null as varchar) as insight_id,
            cast([] as varchar[]) as insights,
            cast([] as varchar[]) as shows,
            cast([] as varchar[]) as episodes
        from readers

        union all

        select
            reader, step + 1 as step, best.insight_id as insight_id, list_append(insights, best.insight_id) as insights,
            list_append(shows, best.show_words) as shows, list_append(episodes, best.canonical_episode_id) as episodes
        from
            (
                select
                    taken.reader,
                    any_value(taken.step) as step,
                    any_value(taken.insights) as insights,
                    any_value(taken.shows) as shows,
                    any_value(taken.episodes) as episodes,
                    arg_min(
                        struct_pack(
                            insight_id := fitting.insight_id,
                            show_words := fitting.show_words,
                            canonical_episode_id := fitting.canonical_episode_id
                        ),
                        fitting.place
                        + case when list_contains(taken.episodes, fitting.canonical_episode_id) then 1000000000 else 0 end
                    ) as best
                from taken
                inner join fitting on taken.reader = fitting.reader
                where
                    taken.step < fitting.size
                    and not list_contains(taken.insights, fitting.insight_id)
                    and not list_has_any(taken.insights, fitting.near_ones)
                    and len(list_filter(taken.shows, lambda one : one = fitting.show_words)) < {show_cap}
                    and len(list_filter(taken.episodes, lambda one : one = fitting.canonical_episode_id)) < {episode_cap}
                group by taken.reader
            )
    )

select reader, step as place, insight_id from taken where step > 0 order by reader, place
"""

_DETAILS: Final = """
select
    insight_id, headline, body, show_title, episode_title, episode_url, audio_url, speaker,
    make_timestamp(epoch_us(published_at)) as published_at, quotes, score, salience, also_in, is_late, engine
from fct_insights where day = {day} and list_contains(from_json(cast({wanted} as json), '["varchar"]'), insight_id)
order by score desc, insight_id
"""


def choose(warehouse: Path, vectors: Path, day: date, wishes: Sequence[Wishes]) -> list[list[str]]:
    """The ids of the insights for each of `wishes`, best first; at most `count` each, fewer where fewer fit.

    `vectors` is the lake's file of the day's insights. Raises PermanentError `warehouse_missing`, TransientError `warehouse_busy`.
    """
    chosen = [list[str]() for _ in wishes]
    if not wishes:
        return chosen
    readers = [
        {
            "reader": number,
            "size": one.count,
            "topics": one.topics,
            "muted_topics": one.muted_topics,
            "shows": one.shows,
            "muted_shows": one.muted_shows,
        }
        for number, one in enumerate(wishes)
    ]
    query = QUERY.format(
        readers=_literal(json.dumps(readers)),
        day=_literal(f"{day}"),
        vectors=_literal(str(vectors)),
        near=NEAR,
        show_cap=SHOW_CAP,
        episode_cap=EPISODE_CAP,
    )
    for row in _rows(warehouse, query):
        chosen[int(row["reader"])].append(str(row["insight_id"]))
    return chosen


def personal_digests(frozen: Digest, wishes: Sequence[Wishes], warehouse: Path, vectors: Path) -> dict[Wishes, Digest | None]:
    """A digest for each of the different wishes; None where nothing of the day fits them.

    Who filters nothing and wants no more than the day has gets the head of the frozen digest; the warehouse is asked for the others only.
    """
    digests: dict[Wishes, Digest | None] = {}
    asked: list[Wishes] = []
    for one in dict.fromkeys(wishes):
        if not one.any and (one.count <= len(frozen.insights) or len(frozen.insights) < frozen.size):
            digests[one] = _digest(frozen, list(frozen.insights[: one.count]), one)
        else:
            asked.append(one)
    found = choose(warehouse, vectors, frozen.day, asked)
    known = {insight.insight_id: insight for insight in frozen.insights}
    known |= _insights(frozen, warehouse, {item for ids in found for item in ids} - set(known))
    for one, ids in zip(asked, found, strict=True):
        insights = [known[item] for item in ids if item in known]
        digests[one] = _digest(frozen, insights, one) if insights else None
    return digests


def _insights(frozen: Digest, warehouse: Path, wanted: set[str]) -> dict[str, DigestInsight]:
    """Candidates that the day did not pick, cleaned as the digest's own are."""
    if not wanted:
        return {}
    rows = _rows(warehouse, _DETAILS.format(day=_literal(f"{frozen.day}"), wanted=_literal(json.dumps(sorted(wanted)))))
    numbered = [{**row, "rank": number, "why": "next best of the day"} for number, row in enumerate(rows, start=1)]
    counts = {"episodes_considered": 0, "shows_considered": 0, "candidates_considered": len(rows)}
    composed = compose(frozen.day, numbered, [], counts, size=len(numbered))
    return {insight.insight_id: insight for insight in composed.insights}


def _digest(frozen: Digest, insights: Sequence[DigestInsight], wishes: Wishes) -> Digest:
    if list(insights) == list(frozen.insights) and wishes.count == frozen.size:
        return frozen
    short = None
    if len(insights) < wishes.count:
        said = f"{len(insights)} of the day's insights fit your topics and shows" if wishes.any else None
        short = f"{said}; nothing is added to fill the space." if said else frozen.short_because or _all_there_is(len(insights))
    digest = frozen.model_copy(
        update={
            "insights": tuple(insight.model_copy(update={"rank": place}) for place, insight in enumerate(insights, start=1)),
            "size": wishes.count,
            "short_because": short,
        }
    )
    return digest.model_copy(update={"inputs_hash": inputs_hash(digest)})


def _all_there_is(number: int) -> str:
    return f"The day had {number} insight{'' if number == 1 else 's'} that cleared the bar."


def _literal(text: str) -> str:
    """A string literal: only the quote has a meaning in one. DuckDB loads pandas (seconds, 100 MB) to look at a parameter."""
    return "'" + text.replace("'", "''") + "'"


def _rows(warehouse: Path, sql: str) -> list[dict[str, Any]]:
    import duckdb

    if not warehouse.is_file():
        raise PermanentError("warehouse_missing", f"The warehouse {warehouse} does not exist; run a day first.")
    try:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description or []]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        problem = (
            f"The warehouse {warehouse} holds no candidates as this version makes them; materialize the day's ranking again."
        )
        raise PermanentError("warehouse_missing", problem) from error
    except duckdb.IOException as error:
        raise TransientError("warehouse_busy", f"{warehouse} cannot be read now; try again.") from error
