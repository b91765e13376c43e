"""Bytes become text, and text from outside becomes harmless text.

Belongs here: decoding, control characters, markup inside a line, speaker names. Does not belong here: the structure of any format.
"""

import codecs
import html
import re

from top5.errors import PermanentError

SPEAKER_LENGTH = 80

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SIGNATURES = (
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"%PDF", "a PDF file"),
    (b"PK\x03\x04", "a ZIP archive or office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"ID3", "an audio file"),
    (b"OggS", "an audio file"),
    (b"fLaC", "an audio file"),
    (b"{\\rtf", "an RTF document"),
)
# Codecs such as `unicode_escape` or `idna` also call themselves text.
_CHARSETS = re.compile(r"(utf|iso|latin|cp|windows|koi8|shift|euc|gb|big5|mac|tis|ascii|us-ascii)", re.I)
_CHARSET_PARAMETER = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.I)

# Controls, C1 controls, zero-width and bidirectional marks, lone surrogates, tag characters: none is speech,
# and the last four hide instructions from a human reader. Joiners stay: scripts and emoji need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffc"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_NEWLINES = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_TAG = re.compile(r"</?(?:c|i|b|u|v|s|p|br|em|rt|ruby|font|lang|span|strong|sup|sub|a)(?:[.\s][^<>]*)?/?>|<\d[\d:.,]*>", re.I)
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
# Markup, and the two characters that `str.split` and `str.isprintable` take for harmless and `normalise` does not.
_MARKED = re.compile("[<&{\\\\\x1f\ufffc]")
_SPACE = re.compile(r"\s+")
_VOICE = re.compile(r"<v(?:\.[^\s<>]+)*(?:\s+([^<>]*))?>", re.I)


def decode(body: bytes, content_type: str | None = None) -> tuple[str, list[str]]:
    """The text of a body, newlines as `\\n`, invisible characters removed; and warnings about what had to be guessed.

    Raises PermanentError `empty` and `binary`.
    """
    if not body.strip(b"\x00 \t\r\n"):
        raise PermanentError("empty", "The transcript file is empty; ask the publisher or transcribe the audio instead.")
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            try:
                return normalise(body.decode(encoding)), [] if encoding == "utf-8-sig" else [f"not UTF-8: read as {encoding}"]
            except UnicodeDecodeError:
                return normalise(body.decode(encoding, errors="replace")), [
                    f"not valid {encoding}: unreadable characters replaced"
                ]
    for signature, what in _SIGNATURES:
        if body.startswith(signature):
            raise _binary(what)
    if b"\x00" in body:
        return _decode_with_nulls(body)
    try:
        return normalise(body.decode("utf-8")), []
    except UnicodeDecodeError:
        pass
    declared = _CHARSET_PARAMETER.search(content_type or "")
    if declared and _CHARSETS.match(declared[1]):
        try:
            return normalise(body.decode(declared[1])), []
        except (LookupError, UnicodeDecodeError):
            pass
    text = body.decode("cp1252", errors="replace")
    strange = sum(1 for character in text if character == "\ufffd" or (character < " " and character not in "\t\r\n"))
    if strange > len(text) / 100:
        raise _binary("not text")
    return normalise(text), ["not UTF-8: read as Windows-1252"]


def _decode_with_nulls(body: bytes) -> tuple[str, list[str]]:
    for encoding, nulls in (("utf-16-le", body[1::2]), ("utf-16-be", body[0::2])):
        if nulls.count(0) > 0.7 * len(nulls):
            try:
                return normalise(body.decode(encoding)), [f"no byte order mark: read as {encoding}"]
            except UnicodeDecodeError:
                break
    raise _binary("not text")


def _binary(what: str) -> PermanentError:
    sentence = what if what == "not text" else f"{what}, not text"
    return PermanentError("binary", f"The transcript is {sentence}; use another of the publisher's formats or the audio.")


def normalise(text: str) -> str:
    """Newlines as `\\n`, invisible characters removed."""
    return _INVISIBLE.sub("", _NEWLINES.sub("\n", text))


def clean_text(text: str) -> str:
    """One line of speech: caption markup gone, entities decoded, whitespace single. Angle brackets of no known tag stay."""
    plain = " ".join(text.split())
    if plain.isprintable() and not _MARKED.search(text):
        return plain
    text = _OVERRIDE.sub("", _TAG.sub("", text).replace("\\N", " "))
    return _SPACE.sub(" ", normalise(html.unescape(text))).strip()


def clean_speaker(name: str | None) -> str | None:
    """A speaker's name as shown: no markup, no colon at the end, at most 80 characters; None where nothing is left."""
    if name is None:
        return None
    cleaned = clean_text(name).strip(" \t:-–—>[]()*_#<").strip()
    return cleaned[:SPEAKER_LENGTH].rstrip() or None


def split_voices(text: str) -> list[tuple[str | None, str]]:
    """(speaker, raw text) parts of a cue with `<v Name>` tags; the speaker is None before the first tag.

    Neighbouring parts of one speaker are joined.
    """
    if "<v" not in text and "<V" not in text:
        return [(None, text)] if text.strip() else []
    parts: list[tuple[str | None, str]] = []
    speaker: str | None = None
    begin = 0
    for match in [*_VOICE.finditer(text), None]:
        piece = text[begin : match.start() if match else len(text)]
        if piece.strip():
            if parts and parts[-1][0] == speaker:
                parts[-1] = (speaker, f"{parts[-1][1]} {piece}")
            else:
                parts.append((speaker, piece))
        if match:
            speaker = clean_speaker(match[1])
            begin = match.end()
    return parts
