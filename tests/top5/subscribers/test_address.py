"""Addresses: what is one, what is refused, and what is shown of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.top5.deliveries.helpers import parsed
from top5.errors import PermanentError
from top5.subscribers.address import mask_address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("reader@example.com", "reader@example.com"),
        (" Rita <reader+five@Example.COM> ", "reader+five@example.com"),
        ('"Reader, Rita" <reader@localhost>', "reader@localhost"),
        ("reader@bücher.example", "reader@xn--bcher-kva.example"),
        ("reader@faß.example", "reader@xn--fa-hia.example"),  # IDNA 2008: ß is not ss
        ("reader@例え.テスト", "reader@xn--r8jz45g.xn--zckzah"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert parse_address(text).addr_spec == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "reader",
        "reader@",
        "@example.com",
        "a@b@example.com",
        "a@example.com, b@example.com",
        "a@example.com <b@example.com>",
        "reader@example.com\r\nBcc: all@example.com",
        "Rita\n <reader@example.com>",
        "re ader@example.com",
        "réader@example.com",
        '"re ader"@example.com',
        "reader@exa mple.com",
        "reader@-example.com",
        "reader@example..com",
        "reader@[127.0.0.1]",
        "x" * 65 + "@example.com",
        "reader@" + "x" * 64 + ".com",
        "reader@" + "x." * 200 + "com",
        "a@example.com," * 100_000,
        "=?utf-8?q?x=0d=0aBcc=3A?= <reader@example.com>",
        "\u202ereader@example.com",
        "reader@exam\u200bple.com",
        "reader\x00@example.com",
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(PermanentError, match="is no mail address; write it as") as caught:
        parse_address(text)
    assert caught.value.reason == "bad_address"
    assert caught.value.message.isprintable() and len(caught.value.message) < 200


@given(st.one_of(st.text(max_size=80), st.emails()))
def test_an_address_is_refused_or_safe(text: str) -> None:
    try:
        address = parse_address(text)
    except PermanentError:
        return
    message = parsed(f"To: {address.addr_spec}\r\n\r\n".encode())
    assert message.keys() == ["To"] and not message.defects
    assert address.addr_spec.isascii() and " " not in address.addr_spec


@given(st.text(max_size=60))
def test_what_is_shown_never_holds_the_name(local: str) -> None:
    shown = mask_address(f"{local}@example.com")
    assert shown == f"{local[:1]}…@example.com" if local else shown == "…"


def test_what_is_no_address_shows_nothing() -> None:
    assert mask_address("somebody") == "…"
