"""Requests that nobody would send, against every endpoint: none may fail on our side, and all answers carry the security headers."""

from collections.abc import Generator

import pytest
import schemathesis
from httpx2 import InvalidURL
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.top5.site.samples import archive_of
from tests.top5.site.serving import Served, served


def _text(**limits: int) -> dict[str, object]:
    return {"type": "string", **limits}


def _query(*names: str) -> list[dict[str, object]]:
    return [{"name": name, "in": "query", "schema": _text()} for name in names]


def _in_path(*names: str) -> list[dict[str, object]]:
    return [{"name": name, "in": "path", "required": True, "schema": _text(minLength=1)} for name in names]


def _form(*names: str) -> dict[str, object]:
    schema = {"type": "object", "properties": {name: _text() for name in names}}
    return {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}


_ANY = {"default": {"description": "any answer that is no failure of ours"}}
_PREFERENCES = ("timezone", "hour", "weekdays", "count", "format", "topics", "muted_topics", "shows", "muted_shows")
SCHEMA = {
    "openapi": "3.0.3",
    "info": {"title": "top5", "version": "1"},
    "paths": {
        "/search/": {"get": {"parameters": _query("q", "page"), "responses": _ANY}},
        "/search/results": {"get": {"parameters": _query("q", "page"), "responses": _ANY}},
        "/health": {"get": {"parameters": _query("max_age_days"), "responses": _ANY}},
        "/days/{day}/": {"get": {"parameters": _in_path("day"), "responses": _ANY}},
        "/insights/{insight}/": {"get": {"parameters": _in_path("insight"), "responses": _ANY}},
        "/shows/{slug}/{number}/": {"get": {"parameters": _in_path("slug", "number"), "responses": _ANY}},
        "/topics/{slug}/feed.rss": {"get": {"parameters": _in_path("slug"), "responses": _ANY}},
        "/static/{name}": {"get": {"parameters": [*_in_path("name"), *_query("v")], "responses": _ANY}},
        "/subscribe/": {"post": {"requestBody": _form("address", "timezone"), "responses": _ANY}},
        "/links/": {"post": {"requestBody": _form("address"), "responses": _ANY}},
        **{
            f"/{kind}/{{token}}": {
                "get": {"parameters": _in_path("token"), "responses": _ANY},
                "post": {"parameters": _in_path("token"), "requestBody": _form("sure", *_PREFERENCES), "responses": _ANY},
            }
            for kind in ("confirm", "manage", "unsubscribe", "data")
        },
        "/webhooks/bounces": {"post": {"requestBody": {"content": {"application/json": {"schema": {}}}}, "responses": _ANY}},
    },
}
schema = schemathesis.openapi.from_dict(SCHEMA)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served, None, None]:
    home = tmp_path_factory.mktemp("fuzzed")
    archive_of(home, 2)
    with served(home, posts_per_minute=10**9, searches_per_minute=10**9) as running:
        yield running


_quick = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@schema.parametrize()
@_quick
def test_no_request_of_the_schema_breaks_the_site(case: schemathesis.Case, site: Served) -> None:
    arguments = case.as_transport_kwargs(base_url="http://internal:8300")
    arguments = {
        name: value
        for name, value in arguments.items()
        if name in ("method", "url", "params", "headers", "data", "json", "content", "cookies")
    }
    arguments.pop("cookies", None)
    if isinstance(arguments.get("data"), bytes):
        arguments["content"] = arguments.pop("data")
    answer = site.client.request(**arguments)
    assert answer.status_code < 500
    assert "default-src 'none'" in answer.headers["content-security-policy"]


_method = st.sampled_from(["GET", "POST", "HEAD", "PUT", "OPTIONS"])
_headers = st.dictionaries(
    st.sampled_from(
        [
            "accept-encoding",
            "if-none-match",
            "content-type",
            "origin",
            "sec-fetch-site",
            "authorization",
            "content-length-x",
            "range",
            "host",
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
)


@given(
    method=_method,
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#?"), max_size=80),
    headers=_headers,
    body=st.binary(max_size=300),
)
@_quick
def test_no_bytes_break_the_site(site: Served, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
    try:
        answer = site.client.request(method, f"http://internal:8300/{path}", headers=headers, content=body or None)
    except (InvalidURL, ValueError):
        return  # the client itself does not send that
    assert answer.status_code < 500
