import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.urls import mask_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/feed.xml", "https://example.org/feed.xml"),
        ("https://user:secret@example.org/feed", "https://***@example.org/feed"),
        ("https://example.org/rss?auth=s3cr3t&x=1", "https://example.org/rss?auth=***&x=***"),
        ("https://example.org/rss?justatoken", "https://example.org/rss?***"),
        ("https://example.org/private/a8f3k2m9q7z1x5c4/feed.xml", "https://example.org/private/***/feed.xml"),
        ("https://example.org/a8f3k2m9q7z1x5c4v.rss", "https://example.org/***"),
        ("https://example.org/the-hundred-and-1st-episode", "https://example.org/the-hundred-and-1st-episode"),
        ("http://[::1", "<unreadable URL>"),
    ],
)
def test_what_is_shown(url: str, shown: str):
    assert mask_url(url) == shown


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N"]), min_size=4))
def test_a_password_is_never_shown(password: str):
    assert password not in mask_url(f"https://reader:{password}@host.example/").replace("host.example", "").replace("https", "")


@given(st.text())
def test_it_never_raises(text: str):
    assert isinstance(mask_url(text), str)
