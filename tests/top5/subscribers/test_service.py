"""Signing up, confirming, changing, leaving, and what strangers can find out or break; in SQLite and in Postgres."""

import asyncio
import re
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from pydantic import SecretStr

from top5.catalog.deliveries import DeliveryLedger, Mark, PlannedDelivery, entries
from top5.catalog.store import Catalog
from top5.errors import PermanentError
from top5.settings import DeliverySettings, Settings, SiteSettings, SubscriberSettings
from top5.subscribers.model import Preferences, SubscriberState
from top5.subscribers.service import RateLimited, Subscribers
from top5.subscribers.tokens import Purpose, TokenRefused, open_tokens

NOW = datetime(2026, 5, 5, 6, 30, tzinfo=UTC)
HERE = "203.0.113.9"
ALL = Preferences()


class Desk(Subscribers):
    """The service with a drawer for its mails."""

    sent: list[EmailMessage]


@pytest.fixture
def desk(tmp_path: Path, catalog: Catalog) -> Desk:
    return make_desk(tmp_path, catalog)


def make_desk(home: Path, catalog: Catalog, **changes: object) -> Desk:
    facts: dict[str, object] = {"secret_keys": SecretStr("a key"), "per_network_per_hour": 1000} | changes
    settings = Settings(
        subscribers=SubscriberSettings.model_validate(facts),
        site=SiteSettings(url="https://top5.example"),
        delivery=DeliverySettings(sender="top5 <top5@example.org>", recipients=("own@example.com",)),
    ).model_copy(update={"home": home})
    sent: list[EmailMessage] = []

    async def post(message: EmailMessage) -> None:
        sent.append(message)

    desk = Desk(settings, catalog, open_tokens(settings), post)
    desk.sent = sent
    return desk


def sign_up(desk: Desk, address: str, preferences: Preferences = ALL, *, now: datetime = NOW, network: str = HERE) -> str | None:
    """The text of the mail that it causes."""
    before = len(desk.sent)
    asyncio.run(desk.sign_up(address, preferences, network=network, now=now).send())
    return desk.sent[-1].get_content() if len(desk.sent) > before else None


def token_in(text: str | None, purpose: Purpose) -> str:
    assert text is not None
    found = re.search(rf"https://top5\.example/{purpose}/(\S+)", text)
    assert found is not None, text
    return found[1]


def joined(desk: Desk, address: str = "reader@example.com") -> str:
    subscriber = desk.confirm(token_in(sign_up(desk, address), Purpose.CONFIRM), NOW)
    return subscriber.subscriber_id


def refusal(action: object, *arguments: object) -> str:
    with pytest.raises(TokenRefused) as caught:
        action(*arguments)  # type: ignore[operator]
    return caught.value.reason


def test_nobody_is_subscribed_before_they_say_yes(desk: Desk) -> None:
    text = sign_up(desk, "Reader@Example.com", Preferences(topics=("chips",), count=3))
    assert desk.store.count() == {"pending": 1}
    token = token_in(text, Purpose.CONFIRM)
    assert desk.look(token, Purpose.CONFIRM, NOW).state == "pending"
    assert desk.store.count() == {"pending": 1}, "looking changes nothing"
    subscriber = desk.confirm(token, NOW + timedelta(days=2))
    assert (subscriber.state, subscriber.topics, subscriber.count) == ("active", ("chips",), 3)
    assert refusal(desk.confirm, token, NOW + timedelta(days=2)) == "used_token"
    assert refusal(desk.look, token, Purpose.CONFIRM, NOW) == "used_token"


def test_a_confirmation_expires(desk: Desk) -> None:
    token = token_in(sign_up(desk, "reader@example.com"), Purpose.CONFIRM)
    assert refusal(desk.confirm, token, NOW + timedelta(days=3, seconds=1)) == "expired_token"
    assert desk.store.count() == {"pending": 1}


def test_the_answer_is_the_same_whoever_is_known(desk: Desk) -> None:
    joined(desk, "active@example.com")
    gone = desk.store.get(joined(desk, "gone@example.com"))
    assert gone is not None
    desk.leave(gone, NOW)
    joined(desk, "bounced@example.com")
    desk.store.suppress("bounced@example.com", "hard_bounce", NOW)
    answers = []
    for address in ("active@example.com", "gone@example.com", "bounced@example.com", "new@example.com"):
        for ask in (
            lambda one: desk.sign_up(one, ALL, network=HERE, now=NOW),
            lambda one: desk.request_links(one, network=HERE, now=NOW),
        ):
            outgoing = ask(address)
            answers.append((type(outgoing).__name__, outgoing.message is not None))
    assert {name for name, _ in answers} == {"Outgoing"}
    assert [mailed for _, mailed in answers] == [True, True, True, True, False, False, True, False]


def test_signing_up_again_tells_only_the_reader_and_changes_nothing(desk: Desk) -> None:
    joined(desk)
    text = sign_up(desk, "READER@example.com", Preferences(count=1))
    assert desk.store.find("reader@example.com").count == 5  # type: ignore[union-attr]
    manage = token_in(text, Purpose.MANAGE)
    assert desk.set_preferences(manage, Preferences(count=2), NOW).count == 2


def test_leaving_takes_one_request_ends_all_links_and_can_be_repeated(desk: Desk) -> None:
    subscriber = desk.store.get(joined(desk))
    assert subscriber is not None
    links = desk.links(subscriber, NOW)
    token = links.unsubscribe.rsplit("/", 1)[1]
    assert desk.look(token, Purpose.UNSUBSCRIBE, NOW).state == "active"
    for _ in range(2):
        left = desk.unsubscribe(token, NOW + timedelta(days=900))
        assert left is not None and left.state == "unsubscribed"
    assert refusal(desk.set_preferences, links.manage.rsplit("/", 1)[1], ALL, NOW) == "old_token"
    fresh = desk.links(subscriber, NOW + timedelta(seconds=1)).confirm.rsplit("/", 1)[1]
    assert refusal(desk.confirm, fresh, NOW + timedelta(seconds=1)) == "old_token"


def test_who_left_can_come_back_only_by_a_new_confirmation(desk: Desk) -> None:
    first = sign_up(desk, "reader@example.com")
    second = sign_up(desk, "reader@example.com", now=NOW + timedelta(seconds=5))
    subscriber = desk.confirm(token_in(second, Purpose.CONFIRM), NOW + timedelta(seconds=9))
    desk.leave(subscriber, NOW)
    assert refusal(desk.confirm, token_in(first, Purpose.CONFIRM), NOW + timedelta(seconds=9)) == "old_token"
    again = sign_up(desk, "reader@example.com", now=NOW + timedelta(hours=1))
    assert desk.confirm(token_in(again, Purpose.CONFIRM), NOW + timedelta(hours=1)).state == "active"


def test_a_token_of_one_purpose_opens_no_other(desk: Desk) -> None:
    subscriber = desk.store.get(joined(desk))
    assert subscriber is not None
    links = desk.links(subscriber, NOW)
    for link in (links.confirm, links.manage, links.unsubscribe):
        assert refusal(desk.export, link.rsplit("/", 1)[1], NOW) == "bad_token"
        assert refusal(desk.delete, link.rsplit("/", 1)[1], NOW) == "bad_token"


def test_all_that_is_kept_is_shown_and_deleted(desk: Desk, catalog: Catalog, tmp_path: Path) -> None:
    subscriber_id = joined(desk)
    ledger = DeliveryLedger(catalog, date(2026, 5, 4), "outbox")
    ledger.plan([PlannedDelivery("reader@example.com", subscriber_id, "<id@example.org>")], 1, NOW)
    (row,) = ledger.claim("run", 9, NOW)
    ledger.mark("run", [Mark(row.recipient, "sent", tried=True)], NOW)
    desk.store.record_bounce("<id@example.org>", "soft", "4.2.2", NOW)
    box = tmp_path / "outbox"
    box.mkdir()
    for name in ("2026-05-04-reader@example.com.eml", "2026-05-04-other-reader@example.com.eml"):
        (box / name).write_text("x")

    asyncio.run(desk.request_links("reader@example.com", network=HERE, now=NOW).send())
    token = token_in(desk.sent[-1].get_content(), Purpose.DATA)
    shown = desk.export(token, NOW)
    assert shown["subscriber"]["address"] == "reader@example.com"
    assert [(item["day"], item["state"]) for item in shown["deliveries"]] == [("2026-05-04", "sent")]
    assert [item["status"] for item in shown["bounces"]] == ["4.2.2"]

    assert refusal(desk.delete, token, NOW + timedelta(hours=1, seconds=1)) == "expired_token"
    desk.delete(token, NOW)
    assert refusal(desk.delete, token, NOW) == "old_token"
    assert desk.store.find("reader@example.com") is None
    assert [(entry.recipient, entry.state) for entry in entries(catalog, date(2026, 5, 4))] == [(subscriber_id, "sent")]
    assert [path.name for path in box.iterdir()] == ["2026-05-04-other-reader@example.com.eml"]


def test_an_address_of_the_settings_does_not_come_back_after_its_deletion(desk: Desk) -> None:
    own, _ = desk.store.add("own@example.com", ALL, state=SubscriberState.ACTIVE, source="settings", now=NOW)
    desk.erase(own, NOW)
    assert desk.store.suppressed(["own@example.com"]) == {"own@example.com"}


def test_an_address_gets_few_mails_and_nobody_is_told(desk: Desk) -> None:
    mails = [sign_up(desk, "victim@example.com", now=NOW + timedelta(minutes=number)) for number in range(6)]
    assert [mail is not None for mail in mails] == [True, True, True, False, False, False]
    assert sign_up(desk, "victim@example.com", now=NOW + timedelta(days=1)) is not None


def test_a_network_may_ask_so_often(tmp_path: Path, catalog: Catalog) -> None:
    desk = make_desk(tmp_path, catalog, per_network_per_hour=3)
    for number in range(3):
        sign_up(desk, f"r{number}@example.com", network=f"203.0.113.{number}")
    with pytest.raises(RateLimited) as caught:
        sign_up(desk, "r9@example.com", network="203.0.113.77")
    assert caught.value.retry_after == 1800.0
    assert sign_up(desk, "r9@example.com", network="198.51.100.1") is not None
    for network in ("2001:db8:0:1::5", "2001:db8:0:ff::9", "::ffff:198.51.100.9", "no address", "also none"):
        sign_up(desk, "r8@example.com", network=network)
    assert sign_up(desk, "r7@example.com", network="203.0.113.77", now=NOW + timedelta(hours=1)) is not None


def test_signing_up_can_be_closed_and_needs_a_site(tmp_path: Path, catalog: Catalog) -> None:
    with pytest.raises(PermanentError, match="closed"):
        sign_up(make_desk(tmp_path, catalog, sign_up=False), "r@example.com")


@pytest.mark.parametrize(
    "address", ["r@example.com\r\nBcc: all@example.com", "a@b.example,c@d.example", "x" * 400 + "@example.com", ""]
)
def test_hostile_addresses_are_refused_before_anything_is_kept(desk: Desk, address: str) -> None:
    with pytest.raises(PermanentError):
        sign_up(desk, address)
    assert desk.store.count() == {} and desk.sent == []


def test_an_import_brings_nobody_back_and_confirms_who_waits(desk: Desk) -> None:
    left = desk.store.get(joined(desk, "left@example.com"))
    assert left is not None
    desk.leave(left, NOW)
    sign_up(desk, "waits@example.com")
    addresses = [("left@example.com", ALL), ("waits@example.com", ALL), ("new@bücher.example", ALL), ("NEW@bücher.example", ALL)]
    assert desk.enter(addresses, "import", now=NOW, dry_run=True) == (2, 2)
    assert desk.store.count() == {"pending": 1, "unsubscribed": 1}
    assert desk.enter(addresses, "import", now=NOW) == (1, 3)
    assert desk.store.count() == {"active": 2, "unsubscribed": 1}


def test_a_long_list_is_entered_in_few_steps(desk: Desk) -> None:
    entered = [(f"r{number}@example.com", ALL) for number in range(2500)]
    assert desk.enter(entered, "import", now=NOW) == (2500, 0)
    assert desk.enter(entered, "import", now=NOW) == (0, 2500)


def test_only_an_operator_enters_chat_urls(desk: Desk) -> None:
    with pytest.raises(PermanentError):
        sign_up(desk, "json://169.254.169.254/latest")
    with pytest.raises(PermanentError, match="is no Apprise URL"):
        desk.enter([("nonsense://x", ALL)], "operator", now=NOW)
    assert desk.enter([("json://localhost/secret", ALL)], "operator", now=NOW) == (1, 0)
