"""Digests that the tests of this folder share: a full day, a short one, an empty one, a hostile one."""

from datetime import UTC, date, datetime

from top5.digests.compose import Counts, Dropped, Link, Pick, Repeat, compose
from top5.digests.model import Digest, DigestInputs, LeftOut
from top5.insights.model import Quote

DAY = date(2026, 5, 4)


def pick(rank: int, **changes: object) -> Pick:
    """A pick with every optional field empty unless given."""
    facts: dict[str, object] = {
        "rank": rank,
        "insight_id": f"insight-{rank}",
        "headline": f"Headline number {rank}",
        "body": f"The body of insight number {rank} names its actors and says what happens, because of what, and so what follows.",
        "show": "The Example Show",
        "episode_title": f"Episode {rank}",
        "score": 0.8,
        "salience": 0.7,
        "engine": "local",
    }
    return Pick.model_validate(facts | changes)


PICKS = (
    pick(
        1,
        headline="Groq keeps model weights in on-chip memory, so answers start in milliseconds",
        body=(
            "Groq's inference chips hold all weights in SRAM instead of fetching them from high-bandwidth memory, so the time to the "
            "first word falls below ten milliseconds. The price is size: one chip holds 230 MB, so a 70-billion-parameter model needs "
            "several hundred of them."
        ),
        show="Silicon Weekly",
        episode_title="Why inference wants different chips",
        episode_url="https://silicon.example/episodes/112",
        audio_url="https://cdn.silicon.example/112.mp3",
        speaker="Dana Okafor",
        published=datetime(2026, 5, 4, 5, 30, tzinfo=UTC),
        quotes=(
            Quote(
                text="We looked at it and said, look, the memory wall is the whole game, everything else is accounting.",
                start=754.3,
                end=761.0,
                speaker="Dana Okafor",
            ),
        ),
        score=0.91,
        salience=0.88,
        why="a mechanism with two numbers, said on two shows",
        memory="Second show in 30 days to say so: Chip Talk, 12 Apr. Disagrees with Server Room, 1 May.",
        memory_links=(
            Link(show="Chip Talk", day=date(2026, 4, 12), headline="SRAM beats HBM", url="https://chips.example/sram"),
            Link(show="Server Room", day=date(2026, 5, 1), headline="Latency was never the problem", url=None),
        ),
        also_in=("Chip Talk", "Rack & Row"),
        related=(
            Link(show="Silicon Weekly", day=date(2026, 3, 2), headline="HBM is sold out until autumn", url="https://silicon.example/104"),
        ),
        times_may_drift=True,
        engine="openai",
    ),
    pick(
        2,
        headline="Spain's grid failed because protection tripped on voltage, not for want of power",
        body=(
            "The operators of the Iberian grid lost 15 gigawatts within five seconds because plants disconnected on overvoltage, not "
            "because supply fell short. Grid-forming inverters would have held the voltage, so the regulator now pays for them."
        ),
        show="Volts & Amps",
        episode_title="Five seconds in April",
        episode_url="https://volts.example/five-seconds",
        audio_url="https://media.volts.example/ep/five-seconds.mp3?source=feed",
        speaker="Inés Rey",
        published=datetime(2026, 5, 2, 16, 0, tzinfo=UTC),
        quotes=(
            Quote(
                text=(
                    "So, um, the operators of the Iberian grid lost 15 gigawatts within five seconds because, you know, plants "
                    "disconnected on overvoltage, not because supply fell short. And grid-forming inverters would have held the "
                    "voltage, so the regulator now, uh, pays for them."
                ),
                start=3723.9,
                end=3751.0,
            ),
        ),
        score=0.84,
        salience=0.8,
        why="contradicts the common account",
        memory="First heard here.",
        late=True,
        engine="local",
    ),
    pick(
        3,
        headline="A bakery chain cut waste by a third by baking to the weather forecast",
        body=(
            "The bakery chain Brotland halved its returns after it tied each shop's evening bake to the next day's forecast: rain "
            "moves buyers from bread to cake within hours. Waste fell by a third in one winter without a new oven."
        ),
        show="Small Business Hour",
        episode_title="Data for people with flour on their hands",
        audio_url="https://sbh.example/flour.mp3",
        quotes=(Quote(text="Rain moves people from bread to cake, and it does it before lunch.", start=None, end=None),),
        why="a method that others can copy",
        engine="openai",
    ),
    pick(
        4,
        headline="Sleep debt from one short week takes more than one weekend to repay",
        body=(
            "After five nights of five hours, reaction times in the Uppsala study stayed slow for eight days of normal sleep. Two "
            "long weekend mornings restored how rested people felt, but not how fast they answered."
        ),
        show="The Lab Bench",
        episode_title="Tired",
        episode_url="https://lab.example/tired",
        speaker="Prof. Lena Holm",
        quotes=(
            Quote(text="They feel fine. They are not fine. The clock says so for another week.", start=65.0, end=71.0),
        ),
        why="a number that changes a habit",
        also_in=("Mindful", "Doctor's Hours", "Morning Brief", "Long Run"),
        engine="openai",
    ),
    pick(
        5,
        headline="SQLite's authors test every branch, which is why a phone can lose power mid-write",
        body=(
            "SQLite's tests execute each branch of its machine code and simulate power loss at every write, so a torn page is rolled "
            "back at the next start. That discipline costs 590 lines of test for each line of the library."
        ),
        show="Databases, Slowly",
        episode_title="The most deployed program",
        episode_url="https://db.example/sqlite",
        audio_url="https://db.example/sqlite.mp3",
        speaker="Ruth Adeyemi",
        quotes=(
            Quote(text="The tests are the product. The library is what falls out at the end.", start=7.0, end=11.5),
        ),
        why="explains a thing that is used daily",
        engine="openai",
    ),
)  # fmt: skip

LEDGER = (
    LeftOut(state="included", reason="chosen", episodes=5),
    LeftOut(state="considered", reason="ranked_lower", episodes=7),
    LeftOut(state="pending", reason="transcript_not_found", episodes=2),
    LeftOut(state="rejected", reason="no_candidates", episodes=1),
    LeftOut(state="given_up", reason="moon_phase", episodes=1),
)


REPEATS = tuple(
    Repeat(
        show=show,
        headline="The same in other words",
        episode_url=url,
        told_on=date(2026, 4, 30),
        told_by="Volts & Amps",
        told_headline="Batteries now set the price of the evening hour in Texas",
        told_insight_id="told-1",
    )
    for show, url in (("Grid Notes", "https://grid.example/88"), ("Power Hour", None), ("Grid Notes", "https://grid.example/89"))
)
INPUTS = DigestInputs(
    transcripts="1" * 64, extractions="2" * 64, memory="3" * 64, settings="4" * 64, rules="5" * 64, engines=("local/minilm/1",)
)


def full() -> Digest:
    """Five insights with all that can stand around one."""
    counts = Counts(episodes_considered=14, shows_considered=9, candidates_considered=61)
    notes = ("Two feeds could not be reached this morning.",)
    return compose(DAY, PICKS, LEDGER, counts, repeats=REPEATS, notes=notes, inputs=INPUTS)


def short() -> Digest:
    """Two insights, and the sentence that says why."""
    counts = Counts(episodes_considered=2, shows_considered=2, candidates_considered=14)
    waiting = LeftOut(state="pending", reason="transcript_not_found", episodes=1)
    return compose(DAY, PICKS[1:3], (waiting,), counts, revision=2)


def empty() -> Digest:
    """No insight at all: fourteen candidates, none good enough."""
    dropped = (Dropped(reason="below_floor", candidates=11), Dropped(reason="already_told", candidates=3))
    counts = Counts(episodes_considered=3, shows_considered=3, candidates_considered=14, dropped=dropped)
    return compose(DAY, (), (LeftOut(state="deferred", reason="budget_spent", episodes=4),), counts, engine="local")


def hostile() -> Digest:
    """Everything that a feed, a transcript or a model may try to put into a mail."""
    counts = Counts(episodes_considered=1, shows_considered=1, candidates_considered=3)
    picks = (
        pick(
            1,
            headline="<script>alert(1)</script>\r\nBcc: everyone@example.com\r\n\r\n" + "A" * 10_000,
            body='</td><img src="https://tracker.example/x.gif" onerror="alert(1)">{{ 7 * 7 }}{% raw %} & more',
            show='"><style>*{display:none}</style>',
            episode_title="\u202egnp.exe \u200b\u200bzero\ufeffwidth",
            episode_url="javascript:alert(document.cookie)",
            audio_url="JaVaScRiPt:alert(1)//.mp3",
            speaker="<b>x</b>\x00\x1b[31m",
            quotes=(
                Quote(text="`rm -rf` [click](javascript:alert(1)) <iframe src=//evil.example>", start=float("nan"), end=None),
            ),
            why="</p><script>fetch('//evil.example')</script>",
            memory="--> <!-- <![endif]--> <b>Show</b>",
            memory_links=(Link(show="<b>Show</b>", day=DAY, headline="x", url="javascript:alert(1)"),),
            related=(Link(show="<i>x</i>", day=DAY, headline="</a><script>x</script>", url='https://ok.example/"onclick="x'),),
            also_in=("<svg/onload=alert(1)>",),
        ),
        pick(
            2,
            headline="כותרת בעברית על שבבים ועל זיכרון",
            body="גוף התובנה בעברית, עם מספר 42 ושם English באמצע המשפט.",
            episode_url='https://ok.example/a"onmouseover="alert(1)',
            audio_url="https://user:pass@bank.example/audio.mp3",
            quotes=(Quote(text="another thing entirely", start=-5.0, end=None),),
        ),
        pick(
            3,
            headline="A family \U0001f468\u200d\U0001f469\u200d\U0001f467 emoji stays whole",
            episode_url="https://пример.example/страница",
            audio_url="https://cdn.example/My Episode (1).mp3#t=1",
            quotes=(Quote(text="something else was said here", start=90061.5, end=None),),
        ),
    )
    repeat = Repeat(
        show="<b>x</b>",
        headline="x",
        episode_url="javascript:alert(1)",
        told_on=DAY,
        told_by="<u>y</u>",
        told_headline="<script>z</script>\n",
        told_insight_id="i",
    )
    left_out = LeftOut(state="<b>odd</b>", reason="<script>x</script>", episodes=1)
    return compose(DAY, picks, (left_out,), counts, repeats=(repeat,), title="<i>Five</i>\n")
