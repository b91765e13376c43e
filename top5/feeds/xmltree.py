"""Hostile XML as a tree: the one typed border to lxml, which has no stubs.

Belongs here: parsing without network, external or internal entities, and the few tree operations that `parse` and `opml` need.
What an element means is decided there.
"""

import hashlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from html.entities import html5
from importlib import import_module
from typing import Protocol, cast


class XmlElement(Protocol):
    """The part of `lxml.etree._Element` in use."""

    text: str | None

    @property
    def tag(self) -> object:
        """`{namespace}name`; no string for comments, processing instructions and entities."""
        ...

    @property
    def base(self) -> str | None:
        """The URL against which addresses inside are resolved: the nearest `xml:base`, else the document's."""
        ...

    def __len__(self) -> int:
        """How many children."""
        ...

    def get(self, key: str) -> str | None:
        """One attribute."""
        ...

    def items(self) -> list[tuple[str, str]]:
        """All attributes."""
        ...

    def itertext(self) -> Iterator[str]:
        """The pieces of text inside, in order."""
        ...

    def iterchildren(self, *tags: str) -> Iterator["XmlElement"]:
        """Direct children, by default all."""
        ...

    def iter(self, *tags: str) -> Iterator["XmlElement"]:
        """This element and all below it, in document order; `{*}name` is any namespace or none."""
        ...

    def getparent(self) -> "XmlElement | None":
        """The element around this one."""
        ...

    def remove(self, element: "XmlElement") -> None:
        """Take a child out, with the text behind it."""
        ...

    def xpath(self, expression: str) -> object:
        """The value of an XPath 1.0 expression."""
        ...


class _Reading(Protocol):
    error_log: Sequence[object]
    root: XmlElement | None

    def __iter__(self) -> Iterator[tuple[str, XmlElement]]: ...


_lxml = import_module("lxml.etree")
_make_parser = cast(Callable[..., object], _lxml.XMLParser)
_from_bytes = cast(Callable[..., XmlElement | None], _lxml.fromstring)
_to_bytes = cast(Callable[..., bytes], _lxml.tostring)
_iterparse = cast(Callable[..., "_Reading"], _lxml.iterparse)
_make_root = cast(Callable[[str, dict[str, str]], XmlElement], _lxml.Element)
_make_child = cast(Callable[[XmlElement, str, dict[str, str]], XmlElement], _lxml.SubElement)
_SyntaxError = cast(type[Exception], _lxml.XMLSyntaxError)
_AMPERSAND = re.compile(
    rb"<!\[CDATA\[(?:.*?\]\]>|.*)|&(?:(?P<xml>(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)|[A-Za-z][A-Za-z0-9]{1,30};|)",
    re.DOTALL,
)
_FIRST_TAG = re.compile(rb"<[A-Za-z_]")
_NOT_XML_CHARACTERS = re.compile("[^\\t\\n\\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse_tree(body: bytes | str, *, base_url: str | None = None, repair: bool = False) -> XmlElement | None:
    """The root of what can be read of `body`, or None where nothing can; never raises for bad input.

    Text is taken as already decoded, whatever its XML declaration says. Nothing is fetched; entities other than XML's own five
    stay unexpanded.
    With `repair`, bare ampersands (`?a=1&b=2`) and HTML's entities are written as XML first; libxml2 would drop them.
    """
    data = body.encode("utf-8", "replace") if isinstance(body, str) else body
    data = _AMPERSAND.sub(_repaired, data) if repair else data
    # libxml2's limits on depth and expansion are its guard against entity bombs; a big honest feed needs them lifted, and
    # declares no entities.
    trusted_size = b"<!ENTITY" not in data and b"<\0!\0E\0N\0T\0I\0T\0Y" not in data and b"\0<\0!\0E\0N\0T\0I\0T\0Y" not in data
    parser = _make_parser(
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        huge_tree=trusted_size,
        encoding="utf-8" if isinstance(body, str) else None,
    )
    try:
        return _from_bytes(data, parser, base_url=base_url)
    except (_SyntaxError, ValueError):
        return None


def sift(body: bytes, tags: Sequence[str], keep: Callable[[XmlElement], bool]) -> XmlElement | None:
    """One pass over a well-formed document: the root without those `tags` elements for which `keep` is false.

    `keep` is called at each one's end, in document order; what it refuses is freed at once, so that a big document never lies in memory
    as a whole. None where the document is malformed in any way, declares a document type, or is cut short: then nothing that
    `keep` was shown may be believed. Nothing is fetched and no entity is expanded.
    """
    prolog = _FIRST_TAG.search(body)
    if prolog is None or b"<!ENTITY" in body or b"<!DOCTYPE" in body[: prolog.start()]:
        return None
    reading = _iterparse(
        io.BytesIO(body),
        events=("end",),
        tag=tuple(tags),
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
        huge_tree=True,
    )
    refused: XmlElement | None = None
    try:
        for _, element in reading:
            if refused is not None:
                # An element may not be removed before the parser has left it.
                detach(refused)
            refused = None if keep(element) else element
    except (_SyntaxError, ValueError):
        return None
    if refused is not None:
        detach(refused)
    return None if len(reading.error_log) else reading.root


def fingerprint(element: XmlElement) -> str:
    """16 hexadecimal digits that change with anything inside the element."""
    return hashlib.blake2b(_to_bytes(element, encoding="utf-8", with_tail=False), digest_size=8).hexdigest()


def _repaired(match: re.Match[bytes]) -> bytes:
    found = match[0]
    if found.startswith(b"<") or match["xml"]:
        return found
    characters = html5.get(found[1:].decode("ascii")) if found.endswith(b";") else None
    if characters is None:
        return b"&amp;" + found[1:]
    return "".join(f"&#{ord(char)};" for char in characters).encode()


def name_of(element: XmlElement) -> tuple[str, str]:
    """(namespace URI, local name); an undeclared prefix stands in place of the URI; ("", "") for what is no element."""
    tag = element.tag
    return split_tag(tag) if isinstance(tag, str) else ("", "")


def split_tag(tag: str) -> tuple[str, str]:
    """As `name_of`, for a tag as lxml writes it."""
    if tag.startswith("{"):
        namespace, _, local = tag[1:].partition("}")
        return namespace, local
    prefix, colon, local = tag.rpartition(":")
    return (prefix, local) if colon else ("", tag)


def text_of(element: XmlElement) -> str:
    """All text inside the element, stripped."""
    if not len(element):
        return (element.text or "").strip()
    return "".join(element.itertext()).strip()


def has_more_attributes(root: XmlElement, limit: int) -> bool:
    """Whether any element has more than `limit` attributes."""
    return root.xpath(f"boolean(//*[count(@*) > {limit}])") is True


def detach(element: XmlElement) -> None:
    """Remove an element, its content and the text that follows it."""
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def new_element(
    tag: str, attributes: dict[str, str] | None = None, *, parent: XmlElement | None = None, text: str | None = None
) -> XmlElement:
    """An element for writing; characters that XML cannot hold are dropped from attributes and text."""
    clean = {key: xml_text(value) for key, value in (attributes or {}).items()}
    element = _make_root(tag, clean) if parent is None else _make_child(parent, tag, clean)
    element.text = xml_text(text) if text is not None else None
    return element


def serialise(root: XmlElement, *, pretty: bool = False) -> bytes:
    """UTF-8 bytes with an XML declaration; the document type is left out."""
    return _to_bytes(root, encoding="utf-8", xml_declaration=True, pretty_print=pretty, with_tail=False)


def xml_text(text: str) -> str:
    """`text` without the characters that XML 1.0 (section 2.2) does not allow."""
    return _NOT_XML_CHARACTERS.sub("", text)
