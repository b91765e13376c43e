"""Who speaks, where the publisher did not say it or said it half.

Belongs here: full names for first names and initials that only one known person fits, and names proven by "I'm ..." in a voice's own words.
No guess is made: a label that fits two people, or a voice that introduces itself by two names, stays as it is.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from top5.transcripts.model import Segment

_LABEL = re.compile(r"^(?:speaker|spk|voice|person|unknown)[ _-]*[\dA-Z]{0,3}$", re.I)
_NAME = r"((?:[A-Z][\w'’.-]+)(?: (?:[A-Z]\.|de|van|von|der|da|la|le|bin|al))*(?: [A-Z][\w'’-]+){1,2})"
# Only at the beginning of a sentence, so that "he said I'm John Smith" proves nothing.
_INTRODUCES = re.compile(
    r"(?:^|[.!?] |, |and )(?:(?:And|So|Hi|Hey|Hello|Well)[,.]? )?"
    rf"(?:I'm|I’m|I am|[Mm]y name is|my name's|[Tt]his is) (?:your host,? )?{_NAME}\b"
)
_NO_NAME = frozenset({"not", "so", "the", "very", "really", "just", "also", "going", "glad", "happy", "here"})


def introduced(text: str) -> str | None:
    """The full name by which a speaker introduces themselves in `text`; None for none or several."""
    names = {match[1] for match in _INTRODUCES.finditer(text) if match[1].split()[0].lower() not in _NO_NAME}
    return names.pop() if len(names) == 1 else None


def name_speakers(segments: Sequence[Segment], people: Sequence[str], *, title: str = "") -> list[Segment]:
    """Segments with speakers as full names where feed metadata or the voice's own words prove them; all others unchanged.

    `people` are names from the feed (hosts and guests); `title` is the episode's, whose names count as known where a voice says them.
    """
    known = list(dict.fromkeys(person.strip() for person in people if person.strip()))
    labels = list(dict.fromkeys(segment.speaker for segment in segments if segment.speaker))
    names: dict[str, str] = {}
    for label in labels:
        found = _proven(label, segments, known, title) if _LABEL.match(label) else _completed(label, known, labels)
        if found:
            names[label] = found
    # Two labels that claim one name prove nothing.
    claims: dict[str, list[str]] = defaultdict(list)
    for label, name in names.items():
        claims[name].append(label)
    names = {label: name for label, name in names.items() if len(claims[name]) == 1}
    result = [
        segment.model_copy(update={"speaker": names[segment.speaker]}) if segment.speaker in names else segment
        for segment in segments
    ]
    return [_own_words(segment, known, title) for segment in result]


def _proven(label: str, segments: Sequence[Segment], known: Sequence[str], title: str) -> str | None:
    said = {name for segment in segments if segment.speaker == label and (name := introduced(segment.text))}
    name = said.pop() if len(said) == 1 else None
    return name if name and _is_known(name, known, title) else None


def _completed(label: str, known: Sequence[str], labels: Sequence[str]) -> str | None:
    """`Adam` or `AS` as `Adam Stacoviak`, where one known person fits and nobody else is labelled so."""
    if " " in label:
        return None
    bare = label.strip(".:").lower()
    fits = [
        name
        for name in known
        if " " in name
        and (bare in (name.split()[0].lower(), name.split()[-1].lower()) or (label.isupper() and bare == _initials(name)))
    ]
    return fits[0] if len(fits) == 1 and fits[0] not in labels else None


def _initials(name: str) -> str:
    return "".join(part[0] for part in name.split()).lower()


def _own_words(segment: Segment, known: Sequence[str], title: str) -> Segment:
    """A segment without a speaker that introduces itself is spoken by whom it names, if the feed knows the name."""
    if segment.speaker is not None:
        return segment
    name = introduced(segment.text)
    return segment.model_copy(update={"speaker": name}) if name and _is_known(name, known, title) else segment


def _is_known(name: str, known: Sequence[str], title: str) -> bool:
    return any(name.lower() == person.lower() for person in known) or name.lower() in title.lower()
