"""A day to its list: over a real catalog (SQLite, and Postgres where there is one) and a real SMTP server with planted failures."""

import asyncio
import json
from datetime import timedelta

import pytest
import uvloop

from tests.fakes.smtp_server import Plant, SmtpServer
from tests.top5.deliveries.helpers import DAY, NOW, READER, Clock, Home, parsed
from tests.top5.digests import samples
from top5.catalog.deliveries import entries
from top5.catalog.ledgers import export_ledgers
from top5.catalog.subscribers import SubscriberStore
from top5.deliveries.day import Wanted, days_due, deliver_day, preview
from top5.deliveries.model import Report
from top5.errors import PermanentError, TransientError
from top5.subscribers.model import Preferences, SubscriberState


def send(home: Home, clock: Clock, server: SmtpServer | None = None, wanted: Wanted | None = None, **changes: object) -> Report:
    async def run() -> Report:
        if server is None:
            return await deliver(home, clock, None, wanted, changes)
        async with server:
            return await deliver(home, clock, server, wanted, changes)

    return uvloop.run(run())


async def deliver(
    home: Home, clock: Clock, server: SmtpServer | None, wanted: Wanted | None, changes: dict[str, object]
) -> Report:
    settings = home.settings(server, **changes)
    return await deliver_day(
        DAY, settings, home.catalog, home.lake, now=clock.now, wanted=wanted or Wanted(), timing=clock.timing
    )


def rows(home: Home) -> dict[str, tuple[str, str | None]]:
    return {entry.recipient: (entry.state, entry.reason) for entry in entries(home.catalog, DAY)}


def subscribe(home: Home, address: str, **preferences: object) -> str:
    wanted = Preferences.model_validate(preferences)
    made, _ = SubscriberStore(home.catalog).add(
        address, wanted, state=SubscriberState.ACTIVE, source="operator", now=NOW - timedelta(days=9)
    )
    return made.subscriber_id


def test_each_gets_the_mail_once_over_few_connections(home: Home, clock: Clock):
    home.recipients = [f"r{number}@example.com" for number in range(9)]
    server = SmtpServer()
    report = send(home, clock, server, connections=2)
    assert (report.sent, report.attempted, report.states) == (9, 9, {"sent": 9})
    assert sorted(server.recipients) == sorted(home.recipients)
    assert server.connections <= 2
    again = SmtpServer()
    report = send(home, clock, again)
    assert (report.attempted, again.recipients) == (0, [])


@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize(
    ("plant", "state", "reason"),
    [
        ("450", "failed", "smtp_450"),
        ("451", "failed", "smtp_451"),
        ("550", "failed", "smtp_550"),
        ("550 policy", "failed", "smtp_550"),
        ("554 data", "failed", "smtp_554"),
        ("452 data", "failed", "smtp_452"),
        ("421 data", "failed", "smtp_421"),
        ("drop at rcpt", "failed", "smtp_disconnected"),
        ("drop at data", "unknown", "no_answer"),
        ("drop after data", "unknown", "no_answer"),
        ("354 data", "unknown", "no_answer"),
        ("nonsense data", "unknown", "no_answer"),
    ],
)
def test_one_failure_is_one_row_and_the_others_get_their_mail(
    home: Home, clock: Clock, plant: Plant, state: str, reason: str, pipelining: bool
):
    home.recipients = ["a@example.com", "b@example.com", "c@example.com"]
    server = SmtpServer(planted={"b@example.com": plant}, pipelining=pipelining)
    report = send(home, clock, server, connections=1)
    assert rows(home) == {"a@example.com": ("sent", None), "b@example.com": (state, reason), "c@example.com": ("sent", None)}
    (trouble,) = report.troubles
    assert trouble.recipient == "b…@example.com" and trouble.message is not None
    assert "b@example.com" not in trouble.message and trouble.message.endswith(".")
    assert report.unknown == (state == "unknown")


def test_what_a_server_puts_off_is_tried_again_later_and_then_given_up(home: Home, clock: Clock):
    greylisting = SmtpServer(planted={READER: "451"})
    send(home, clock, greylisting, attempts=3)
    report = send(home, clock, greylisting, attempts=3)
    assert report.attempted == 0, "before its time"
    clock.now += timedelta(seconds=30)
    assert send(home, clock, greylisting, attempts=3).attempted == 1
    clock.now += timedelta(seconds=299)
    assert send(home, clock, greylisting, attempts=3).attempted == 0
    clock.now += timedelta(seconds=1)
    assert send(home, clock, greylisting, attempts=3).attempted == 1
    clock.now += timedelta(hours=5)
    assert send(home, clock, SmtpServer(), attempts=3).attempted == 0, "tried three times"
    assert send(home, clock, SmtpServer(), Wanted(retry_failed=True)).sent == 1


def test_a_run_waits_for_retries_within_its_patience(home: Home, clock: Clock):
    server = SmtpServer(planted={READER: "451"})
    report = send(home, clock, server, patience=45.0)
    assert (report.attempted, clock.waits) == (2, [30.0])


def test_a_mailbox_that_does_not_exist_is_suppressed_and_a_refusal_by_policy_is_not(home: Home, clock: Clock):
    home.recipients = ["gone@example.com", "strict@example.com"]
    send(home, clock, SmtpServer(planted={"gone@example.com": "550", "strict@example.com": "550 policy"}))
    store = SubscriberStore(home.catalog)
    assert store.suppressed(home.recipients) == {"gone@example.com"}
    found = store.find("gone@example.com")
    assert found is not None and (found.state, found.reason) == ("suppressed", "no_mailbox")
    server = SmtpServer()
    send(home, clock, server, Wanted(retry_failed=True))
    assert server.recipients == ["strict@example.com"]


def test_unknown_mails_are_repeated_only_when_told_and_carry_the_same_id(home: Home, clock: Clock):
    first = SmtpServer(planted={READER: "drop after data"})
    assert send(home, clock, first).unknown == 1
    for wanted in (Wanted(), Wanted(resend="x"), Wanted(retry_failed=True)):
        server = SmtpServer()
        assert send(home, clock, server, wanted).unknown == 1
        assert server.recipients == []
    second = SmtpServer()
    assert send(home, clock, second, Wanted(resend_unknown=True)).sent == 1
    assert second.messages[0]["Message-ID"] == first.messages[0]["Message-ID"]


def test_the_policy_may_repeat_unknown_ones(home: Home, clock: Clock):
    send(home, clock, SmtpServer(planted={READER: "drop after data"}))
    assert send(home, clock, SmtpServer(), unknown="resend").sent == 1


def test_a_resend_is_one_for_each_run_that_asks_whatever_is_retried(home: Home, clock: Clock):
    first, second, third = SmtpServer(), SmtpServer(), SmtpServer()
    send(home, clock, first)
    send(home, clock, second, Wanted(resend="run 1"))
    send(home, clock, second, Wanted(resend="run 1"))
    send(home, clock, third, Wanted(resend="run 2"))
    assert [len(server.messages) for server in (first, second, third)] == [1, 1, 1]
    assert len({str(server.messages[0]["Message-ID"]) for server in (first, second, third)}) == 3


def test_a_server_that_is_not_there_stops_the_run_and_leaves_the_rows(home: Home, clock: Clock):
    home.recipients = [f"r{number}@example.com" for number in range(20)]

    async def closed_port() -> int:
        async with SmtpServer() as server:
            return server.port

    port = asyncio.run(closed_port())
    report = send(home, clock, smtp_host="127.0.0.1", smtp_port=port, smtp_security="none")
    assert isinstance(report.stopped, TransientError) and f"127.0.0.1:{port}" in report.stopped.message
    assert report.states == {"planned": 20}
    assert send(home, clock, SmtpServer()).sent == 20


def test_a_wrong_password_stops_the_run_at_once_and_is_not_printed(home: Home, clock: Clock):
    server = SmtpServer(users={"top5": "secret-word"})
    report = send(home, clock, server, smtp_user="top5", smtp_password="wrong-word")
    assert isinstance(report.stopped, PermanentError) and report.stopped.reason == "smtp_auth"
    assert "wrong-word" not in report.stopped.message
    assert report.states == {"planned": 1} and clock.waits == []


def test_a_server_that_takes_fewer_connections_gets_fewer(home: Home, clock: Clock):
    home.recipients = [f"r{number}@example.com" for number in range(30)]
    server = SmtpServer(max_connections=2)
    report = send(home, clock, server, connections=6)
    assert (report.sent, report.stopped) == (30, None)
    assert sorted(server.recipients) == sorted(home.recipients)


@pytest.mark.parametrize("hang_up", [False, True])
@pytest.mark.parametrize("pipelining", [False, True])
def test_a_server_that_takes_few_mails_a_connection_gets_another_connection(
    home: Home, clock: Clock, hang_up: bool, pipelining: bool
):
    home.recipients = [f"r{number}@example.com" for number in range(5)]
    server = SmtpServer(goodbye_after=2, hang_up=hang_up, pipelining=pipelining)
    assert send(home, clock, server, connections=1).sent == 5
    assert server.connections == 3


def test_mails_go_no_faster_than_allowed_and_no_domain_waits_for_another(home: Home, clock: Clock):
    home.recipients = [*(f"r{number}@slow.example" for number in range(3)), "z@other.example"]
    server = SmtpServer()
    report = send(home, clock, server, domain_per_minute=6, connections=1)
    assert report.sent == 4
    assert server.recipients.index("z@other.example") == 1
    assert clock.waits == [10.0, 10.0]
    home.recipients = [f"n{number}@example.com" for number in range(4)]
    clock.waits.clear()
    send(home, clock, SmtpServer(), per_minute=30, connections=1)
    assert clock.waits == [2.0] * 3


def test_a_bad_address_in_the_settings_is_a_row_with_a_reason(home: Home, clock: Clock):
    home.recipients = ["nobody", "A@example.com", "a@Example.com", "x@y\r\nBcc: z@z.example"]
    report = send(home, clock)
    assert rows(home) == {
        "nobody": ("failed", "bad_address"),
        "x@y Bcc: z@z.example": ("failed", "bad_address"),
        "a@example.com": ("sent", None),
    }
    assert report.reasons == {"bad_address": 2}
    assert send(home, clock).attempted == 0


def test_a_bad_sender_is_said_before_anything_is_written(home: Home, clock: Clock):
    with pytest.raises(PermanentError, match=r"delivery\.sender"):
        send(home, clock, sender="top5")
    assert rows(home) == {}


def test_the_outbox_takes_what_no_server_is_there_for(home: Home, clock: Clock):
    report = send(home, clock)
    (path,) = (home.path / "outbox").iterdir()
    assert (report.sent, path.name) == (1, f"{DAY}-{READER}.eml")
    path.unlink()
    assert send(home, clock).attempted == 0, "what was sent is not sent again"


def test_an_outbox_that_is_no_folder_stops_the_run(home: Home, clock: Clock):
    home.path.mkdir(exist_ok=True)
    (home.path / "outbox").write_text("in the way")
    report = send(home, clock)
    assert report.stopped is not None and report.stopped.reason == "outbox_refused"
    assert report.states == {"planned": 1}


# Who, and when


def test_an_hour_is_waited_for_and_missed_after_a_day(home: Home, clock: Clock):
    home.recipients = []
    subscribe(home, "tokyo@example.com", timezone="Asia/Tokyo", hour=7)  # 22:00 UTC on the day itself
    subscribe(home, "los@example.com", timezone="America/Los_Angeles", hour=23)  # 06:00 UTC two days later
    settings = home.settings()
    clock.now = NOW.replace(day=4, hour=21)
    assert days_due(settings, home.catalog, now=clock.now) == []
    clock.now = NOW.replace(day=4, hour=22)
    assert days_due(settings, home.catalog, now=clock.now) == [DAY]
    assert send(home, clock).sent == 1
    assert days_due(settings, home.catalog, now=clock.now) == []
    clock.now = NOW.replace(day=6, hour=6)
    assert days_due(settings, home.catalog, now=clock.now) == [DAY]
    assert send(home, clock).sent == 1
    clock.now = NOW.replace(day=7, hour=6)
    subscribe(home, "late@example.com", timezone="America/Los_Angeles", hour=23)
    assert days_due(settings, home.catalog, now=clock.now) == []
    assert send(home, clock).attempted == 0


def test_weekdays_are_those_of_the_reader(home: Home, clock: Clock):
    home.recipients = []
    subscribe(home, "tuesday@example.com", weekdays=(1,))  # the digest of Monday comes on Tuesday
    subscribe(home, "monday@example.com", weekdays=(0,))
    send(home, clock)
    assert rows(home) == {"tuesday@example.com": ("sent", None)}


def test_old_days_and_backfills_mail_nothing_unless_asked(home: Home, clock: Clock):
    clock.now = NOW + timedelta(days=10)
    assert (send(home, clock).held, rows(home)) == ("old", {})
    assert send(home, clock, wanted=Wanted(send_old=True)).sent == 1
    clock.now = NOW
    home.recipients = ["other@example.com"]
    assert (send(home, clock, wanted=Wanted(backfill=True)).held, len(rows(home))) == ("backfill", 1)


def test_who_left_or_bounced_or_is_not_in_the_settings_any_more_gets_nothing(home: Home, clock: Clock):
    store = SubscriberStore(home.catalog)
    home.recipients = ["left@example.com", "bounced@example.com", "dropped@example.com"]
    send(home, clock)
    left = store.find("left@example.com")
    assert left is not None
    store.set_state(left.subscriber_id, SubscriberState.UNSUBSCRIBED, NOW)
    store.suppress("bounced@example.com", "hard_bounce", NOW)
    home.recipients = ["left@example.com", "bounced@example.com"]
    server = SmtpServer()
    send(home, clock, server, Wanted(resend="again"))
    assert server.recipients == []


def test_nothing_goes_to_the_list_before_it_is_approved_and_then_what_was_seen(home: Home, clock: Clock):
    assert (send(home, clock, approval=True).held, rows(home)) == ("approval", {})
    assert send(home, clock, wanted=Wanted(approve=True), approval=True).sent == 1
    later = samples.full().model_copy(update={"revision": 2, "title": "Another title"})
    home.freeze(later)
    home.recipients = ["second@example.com"]
    assert send(home, clock, approval=True).sent == 1
    first, second = (parsed(path.read_bytes()) for path in sorted((home.path / "outbox").iterdir()))
    assert first["Subject"] == second["Subject"]
    assert "ANOTHER TITLE" not in second.as_string()


def test_a_preview_goes_to_one_address_and_leaves_the_ledger_alone(home: Home):
    asyncio.run(preview(samples.full(), home.settings(), to="me@example.com", now=NOW))
    (path,) = (home.path / "outbox").iterdir()
    message = parsed(path.read_bytes())
    assert str(message["Subject"]).startswith("[preview] ") and message["To"] == "me@example.com"
    assert rows(home) == {}


def test_readers_leave_by_their_own_link(home: Home, clock: Clock):
    home.site = "https://top5.example"
    home.recipients = ["a@example.com", "b@example.com"]
    server = SmtpServer()
    send(home, clock, server)
    pages = {str(message["List-Unsubscribe"]).split(">")[0] for message in server.messages}
    assert len(pages) == 2 and all(page.startswith("<https://top5.example/unsubscribe/") for page in pages)
    assert {str(message["List-Unsubscribe-Post"]) for message in server.messages} == {"List-Unsubscribe=One-Click"}


def test_the_lake_and_the_report_name_nobody(home: Home, clock: Clock):
    home.recipients = [READER, "nobody"]
    report = send(home, clock, SmtpServer(planted={READER: "450"}))
    export_ledgers(home.catalog, home.lake, DAY)
    table = json.dumps(home.lake.read_table("deliveries", DAY), default=str)
    assert "reader@" not in table and "nobody" not in table and '"failed"' in table
    assert "reader@example.com" not in repr(report)
