import re

from hypothesis import given
from hypothesis import strategies as st

from top5.site.names import slug, stands_as_name


def test_a_slug_reads_like_the_name() -> None:
    assert slug("The Load Curve") == "the-load-curve"
    assert slug("Self-checkout") == "self-checkout"
    assert slug("Café São Paulo") == "cafe-sao-paulo"


def test_names_that_differ_in_lost_signs_have_different_slugs() -> None:
    names = ["C", "C++", "C#", "東京", "京都", "!!!", "?", "AT&T", "AT T", "x" * 90, "x" * 91]
    assert len({slug(name) for name in names}) == len(names)


@given(st.text(max_size=200))
def test_a_slug_is_always_a_plain_path_segment(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,64}[a-z0-9])?", slug(name))


@given(st.text(max_size=50))
def test_case_and_spacing_do_not_make_another_page(name: str) -> None:
    assert slug(name) == slug(f"  {name} ") == slug(name.casefold())


def test_a_word_that_only_opens_sentences_is_no_name() -> None:
    assert not stands_as_name("Retries", ["Retries alone kept it down. Retries did it."])
    assert stands_as_name("Lumenpay", ["It hit Lumenpay."])
    assert not stands_as_name("Lumenpay", ["“Lumenpay fell.”", "It fell! Lumenpay rose."])
    assert stands_as_name("Norlandia Grid", ["Norlandia Grid connects."])
    assert stands_as_name("OpenAI", ["OpenAI connects."])
    assert not stands_as_name("A+", [])
