"""Tokens: forged, replayed, expired, of another purpose; keys that rotate."""

import stat
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from top5.settings import Settings, SubscriberSettings
from top5.subscribers.tokens import Purpose, TokenRefused, Tokens, keys_path, open_tokens, rotate_keys

NOW = datetime(2026, 5, 5, 6, tzinfo=UTC)
LIVES = {
    Purpose.CONFIRM: timedelta(days=3),
    Purpose.MANAGE: timedelta(days=60),
    Purpose.DATA: timedelta(hours=1),
    Purpose.UNSUBSCRIBE: None,
}
TOKENS = Tokens(["old key", "new key"], LIVES)


def settings_at(home: Path, keys: str = "") -> Settings:
    chosen = Settings(subscribers=SubscriberSettings(secret_keys=SecretStr(keys)))
    return chosen.model_copy(update={"home": home})


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_token_says_who_and_what(purpose: Purpose) -> None:
    token = TOKENS.make(purpose, "subscriber-1_x", 7, NOW)
    claim = TOKENS.read(token, purpose, NOW)
    assert (claim.subscriber_id, claim.serial, claim.purpose, claim.issued_at) == ("subscriber-1_x", 7, purpose, NOW)
    assert len(token) < 120 and not set(token) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("other", list(Purpose))
def test_a_token_opens_only_what_it_is_for(purpose: Purpose, other: Purpose) -> None:
    token = TOKENS.make(purpose, "subscriber", 1, NOW)
    if purpose != other:
        with pytest.raises(TokenRefused) as caught:
            TOKENS.read(token, other, NOW)
        assert caught.value.reason == "bad_token"


@pytest.mark.parametrize("purpose", [purpose for purpose, life in LIVES.items() if life])
def test_a_token_ends_and_none_is_from_the_future(purpose: Purpose) -> None:
    life = LIVES[purpose]
    assert life is not None
    token = TOKENS.make(purpose, "subscriber", 1, NOW)
    TOKENS.read(token, purpose, NOW + life)
    for moment in (NOW + life + timedelta(seconds=1), NOW - timedelta(seconds=1)):
        with pytest.raises(TokenRefused) as caught:
            TOKENS.read(token, purpose, moment)
        assert caught.value.reason == "expired_token"


def test_leaving_works_by_a_link_of_any_age() -> None:
    token = TOKENS.make(Purpose.UNSUBSCRIBE, "subscriber", 1, NOW)
    assert TOKENS.read(token, Purpose.UNSUBSCRIBE, NOW + timedelta(days=9999)).subscriber_id == "subscriber"


@given(st.text(max_size=300))
def test_what_was_made_up_is_refused(text: str) -> None:
    with pytest.raises(TokenRefused):
        TOKENS.read(text, Purpose.MANAGE, NOW)


@given(st.data())
def test_a_token_with_one_character_changed_is_refused(data: st.DataObject) -> None:
    token = TOKENS.make(Purpose.MANAGE, "subscriber", 1, NOW)
    at = data.draw(st.integers(0, len(token) - 2))  # of the last one only four bits count
    character = data.draw(st.sampled_from("ABCabc019._-é\x00").filter(lambda one: one != token[at]))
    with pytest.raises(TokenRefused):
        TOKENS.read(token[:at] + character + token[at + 1 :], Purpose.MANAGE, NOW)


def test_keys_rotate_and_a_dropped_key_is_void() -> None:
    old = Tokens(["old key"], LIVES).make(Purpose.MANAGE, "subscriber", 1, NOW)
    assert TOKENS.read(old, Purpose.MANAGE, NOW).subscriber_id == "subscriber"
    fresh = TOKENS.make(Purpose.MANAGE, "subscriber", 1, NOW)
    with pytest.raises(TokenRefused):
        Tokens(["old key"], LIVES).read(fresh, Purpose.MANAGE, NOW)
    with pytest.raises(TokenRefused):
        Tokens(["new key"], LIVES).read(old, Purpose.MANAGE, NOW)


def test_keys_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    settings = settings_at(tmp_path / "home")
    token = open_tokens(settings).make(Purpose.MANAGE, "subscriber", 1, NOW)
    assert stat.S_IMODE(keys_path(settings).stat().st_mode) == 0o600
    assert open_tokens(settings).read(token, Purpose.MANAGE, NOW).subscriber_id == "subscriber"
    assert rotate_keys(settings) == 2
    assert stat.S_IMODE(keys_path(settings).stat().st_mode) == 0o600
    assert open_tokens(settings).read(token, Purpose.MANAGE, NOW).subscriber_id == "subscriber"
    assert rotate_keys(settings, keep=0) == 1
    with pytest.raises(TokenRefused):
        open_tokens(settings).read(token, Purpose.MANAGE, NOW)


def test_keys_of_the_settings_win_and_are_not_ours_to_change(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, "one two")
    assert open_tokens(settings).newest == "two"
    assert not keys_path(settings).exists()
    with pytest.raises(Exception, match=r"subscribers\.secret_keys"):
        rotate_keys(settings)


def _newest(home: str, queue: object) -> None:
    queue.put(open_tokens(settings_at(Path(home))).newest)  # type: ignore[attr-defined]


def test_two_processes_that_start_at_once_sign_with_one_key(tmp_path: Path) -> None:
    context = get_context("spawn")
    queue = context.Queue()
    processes = [context.Process(target=_newest, args=(str(tmp_path), queue)) for _ in range(3)]
    for process in processes:
        process.start()
    keys = {queue.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(keys) == 1 and [path.name for path in tmp_path.iterdir()] == ["secret_keys"]
