"""What counts as trouble, as pure functions: facts in, alerts out.

Belongs here: every rule and every sentence an operator reads. Does not belong here: where the facts come from (`watch`, and
`orchestration.sensors` for runs), whether it is time to speak (`desk`).
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from statistics import median

from top5.alerts.model import Alert
from top5.catalog.alerts import FeedRhythm
from top5.catalog.model import FeedState
from top5.settings import Settings
from top5.urls import mask_url

RHYTHM_DAYS = 13
"""How many of a feed's latest days its rhythm is taken from."""
_MIN_GAPS = 5
_MIN_SILENCE_DAYS = 3


def run_failed(job: str, day: str | None, trouble: str, *, run_id: str, link: str | None) -> Alert:
    """A run that ended without success. `trouble` is what its steps and checks said."""
    named = f"{job} of {day}" if day else job
    if day is None:
        again = "The next scheduled run tries again"
    elif " to " in day:
        again = "Then launch the same days again, or Re-execute in the UI"
    else:
        again = f"Then `top5 run --date {day}`, or Re-execute in the UI"
    return Alert(
        kind="run-failed",
        cause=f"run-failed:{job}:{day or ''}",
        what=f"The run {named} failed.",
        why=trouble or "Its process died before it could say why.",
        todo=f"Mend what is named above; nothing that was done is lost. {again}.",
        link=link or f"run {run_id}",
    )


def run_stuck(job: str, day: str | None, hours: float, *, run_id: str, link: str | None) -> Alert:
    """A run that has been at work, or has waited, for longer than the settings give it."""
    return Alert(
        kind="run-stuck",
        cause=f"run-stuck:{run_id}",
        what=f"The run {job}{f' of {day}' if day else ''} has not ended for {hours:.0f} hours.",
        why="It hangs, or waits for another run or for a daemon that is not there.",
        todo="Look at its log in the UI and terminate it if nothing moves; running it again goes on from what is kept.",
        link=link or f"run {run_id}",
    )


def check_failed(
    asset: str,
    check: str,
    day: str | None,
    *,
    blocking: bool,
    sentence: str,
    rows: int | None,
    examples: Sequence[str],
    link: str | None,
) -> Alert:
    """A check that did not hold: which, up to three of the values, and how many rows where `sentence` does not say it."""
    said = (sentence or "It did not hold").rstrip(".") + "."
    shown = f" Examples: {'; '.join(examples[:3])}." if examples else ""
    count = f" {rows} rows." if rows else ""
    return Alert(
        kind="check-failed",
        cause=f"check-failed:{asset}:{check}"[:200],
        what=f"The check {check} of {asset} failed{f' on {day}' if day else ''}.",
        why=f"{said}{count}{shown}",
        todo="What comes after it was not built: mend the rows' source, then run the day again."
        if blocking
        else "The digest went on. Look whether the day is unusual or something broke.",
        link=link,
    )


def digest_unapproved(day: date) -> Alert:
    """The digest waits for the operator's word."""
    return Alert(
        kind="digest-missing",
        cause=f"digest-missing:{day}",
        what=f"The digest of {day} is not out.",
        why="It was built and waits for your approval, because delivery.approval is on.",
        todo=f"Read it (`top5 show --date {day}`) and approve it, or let it wait.",
    )


def digest_missing(day: date, *, built: bool, deadline: datetime) -> Alert:
    """The digest that should be out by `deadline` (local) is not."""
    return Alert(
        kind="digest-missing",
        cause=f"digest-missing:{day}",
        what=f"The digest of {day} is not out.",
        why=(
            f"It was built, but no mail had left by {deadline:%Y-%m-%d %H:%M}."
            if built
            else f"It was not built by {deadline:%Y-%m-%d %H:%M}: its run failed, still works, or never started."
        ),
        todo=f"Run `top5 run --date {day}`; it says what is in the way. `make up` must be running for the schedule.",
    )


def digest_short(day: date, insights: int, because: str | None) -> Alert:
    """A digest with fewer insights than the settings call enough."""
    return Alert(
        kind="digest-short",
        cause=f"digest-short:{day}",
        what=f"The digest of {day} has {insights} insight{'' if insights == 1 else 's'}.",
        why=because or "The day gave no more that are proven.",
        todo="Nothing, if the day was quiet. `top5 feeds list` shows whether feeds are missing, the asset `transcripts` what had no words.",
    )


def feed_troubles(feeds: Sequence[FeedState], now: datetime, settings: Settings) -> list[Alert]:
    """Feeds that have failed for days or are gone; one alert instead of many where most fail at once."""
    alerts = settings.alerts
    allowed = timedelta(days=alerts.feed_failing_days)
    active = [feed for feed in feeds if feed.status == "active"]
    failing = [feed for feed in active if feed.failures]
    if len(failing) >= 5 and len(failing) > len(active) / 2:
        reasons = sorted({feed.reason or "unknown" for feed in failing})
        return [
            Alert(
                kind="feeds-unreachable",
                cause="feeds-unreachable",
                what=f"{len(failing)} of {len(active)} feeds fail.",
                why=f"So many at once mean this machine's network, name service or clock ({', '.join(reasons[:4])}).",
                todo="`top5 feeds check URL` on any of them shows where it stops. Nothing is lost: feeds are read again when they answer.",
            )
        ]
    late = [feed for feed in failing if now - (feed.succeeded_at or feed.added_at) >= allowed]
    gone = [feed for feed in feeds if feed.status == "gone"]
    return [_feed_failing(feed, now) for feed in [*late, *gone]]


def _feed_failing(feed: FeedState, now: datetime) -> Alert:
    name = feed.title or mask_url(feed.url)
    days = (now - (feed.succeeded_at or feed.added_at)).days
    return Alert(
        kind="feed-failing",
        cause=f"feed-failing:{feed.feed_id}",
        what=f"The feed {name} is gone." if feed.status == "gone" else f"The feed {name} has failed for {days} days.",
        why=feed.message or f"Its last poll said {feed.reason or 'nothing'}.",
        todo=f"`top5 feeds check {feed.feed_id}` looks again; `top5 feeds remove {feed.feed_id}` ends it.",
    )


def feed_silent(rhythm: FeedRhythm, today: date, factor: float) -> Alert | None:
    """A feed without an episode for `factor` times its usual gap, and half again its longest of late.

    Median over the latest days with an episode: a season's break does not move it. Silent with little history.
    """
    gaps = [(newer - older).days for newer, older in zip(rhythm.days, rhythm.days[1:], strict=False)]
    if len(gaps) < _MIN_GAPS:
        return None
    usual = median(gaps)
    limit = max(factor * usual, 1.5 * max(gaps), _MIN_SILENCE_DAYS)
    silence = (today - rhythm.days[0]).days
    if silence <= limit:
        return None
    return Alert(
        kind="feed-silent",
        cause=f"feed-silent:{rhythm.feed_id}",
        what=f"{rhythm.title} has been silent for {silence} days.",
        why=f"It usually gives something every {usual:g} day{'' if usual == 1 else 's'}; its feed answers, with nothing new since {rhythm.days[0]}.",
        todo=f"The show may have ended or moved: look at its site, then `top5 feeds add` the new address or `top5 feeds remove {rhythm.feed_id}`.",
    )


def budget_spent(today: date, episodes: int, spent: float, limits: str) -> Alert:
    """Episodes wait because the day's money is spent."""
    return Alert(
        kind="budget-spent",
        cause=f"budget-spent:{today}",
        what=f"The day's budget is spent: ${spent:.2f}.",
        why=f"{episodes} episode{'' if episodes == 1 else 's'} wait for the next day's budget ({limits}).",
        todo="Nothing, if this is a rare day: they join the next digest. Otherwise raise the limit or take a cheaper model.",
    )


def budget_forecast(day: date, usd: float, limit: float) -> Alert:
    """What is still to be read will cost more than the money of a day."""
    return Alert(
        kind="budget-forecast",
        cause=f"budget-forecast:{day}",
        what=f"The budget will not do for the episodes of {day}.",
        why=f"Reading them is forecast to cost ${usd:.2f}; insights.daily_budget_usd is ${limit:.2f}.",
        todo="`top5 forecast` shows what costs; raise daily_budget_usd, or let what is left over join the next digest.",
    )


def deliveries_failed(day: date, failed: int, total: int) -> Alert:
    """More of a day's mails than the settings allow did not arrive."""
    return Alert(
        kind="deliveries-failed",
        cause=f"deliveries-failed:{day}",
        what=f"{failed} of {total} mails of {day} did not get through.",
        why="The mail server refused them, or nobody knows whether it took them.",
        todo="The asset `deliveries` counts the reasons. Mend the server's settings; `top5 run` again sends what failed, and nothing twice.",
    )


def disk_low(free_gb: float, limit_gb: float, home: str) -> Alert:
    """Little space where everything is kept."""
    return Alert(
        kind="disk-low",
        cause="disk-low",
        what=f"{free_gb:.1f} GB are free.",
        why=f"{home} needs {limit_gb:g} GB to go on safely.",
        todo="`top5 prune --dry-run` shows what can go; or give the disk more room.",
    )


def daemon_silent(last_beat: datetime | None, now: datetime, silent: Sequence[str]) -> Alert:
    """Dagster's daemon, or one of its parts, does not beat: no schedule and no alert of its own will come."""
    since = f"for {(now - last_beat).total_seconds() / 60:.0f} minutes" if last_beat else "at all"
    return Alert(
        kind="daemon-silent",
        cause="daemon-silent",
        what="Dagster's daemon does not run.",
        why=f"No heartbeat {since} ({', '.join(silent)}): no schedule starts anything.",
        todo="Start it: `make up`, or `systemctl restart` its unit. Days that were missed are built by themselves then.",
    )


def daemon_unknown(sentence: str) -> Alert:
    """Dagster's storage cannot be read, so nobody knows whether its daemon beats."""
    return Alert(
        kind="daemon-silent",
        cause="daemon-silent",
        what="Dagster's storage cannot be read.",
        why=f"{sentence}.",
        todo="Look at the disk and at DAGSTER_HOME (by default <home>/dagster); `top5 doctor` says what is wrong with the installation.",
    )


def watch_failed(subject: str, reason: str, sentence: str) -> Alert:
    """Something that should have been looked at could not be."""
    return Alert(
        kind="watch-failed",
        cause=f"watch-failed:{subject}",
        what=f"{subject.capitalize()} cannot be looked at ({reason}).",
        why=sentence,
        todo="`top5 doctor` says what is wrong with the installation.",
    )
