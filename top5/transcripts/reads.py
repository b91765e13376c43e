"""How far a sponsor's read goes.

Belongs here: from a sentence that gives a read away to its first and last sentence. Does not belong here: the patterns (`ad_rules`), the
house's own promotion (`house`).
"""

import re
from collections.abc import Sequence

from top5.transcripts.ad_rules import (
    ADDRESS,
    BACK,
    CALL,
    CARRIES_ON,
    CLOSES,
    COMMON,
    LEAD_IN,
    OPENS_OR_CLOSES,
    PROPER,
    READS,
    SAYS_LITTLE,
    SELLING,
    SUBJECT,
    Rule,
    SegmentMark,
    Sentence,
)
from top5.transcripts.house import extend_turn

_MAX_READ = 16  # sentences on each side of what gave a read away
_LOOK_AHEAD = 3  # sentences without a sign of selling that may stand inside a read
_LONGEST_READ = 48  # sentences up to the call with which a long read ends: four minutes
_LONGEST_BETWEEN = 80  # sentences between "let me tell you about our sponsor" and "thank you for sponsoring the show"
_LONGEST_STORY = 20  # of them without the sponsor's name or a sign of selling, because a good read tells a story
_MOST_WORDS = 900  # of a read, six minutes: sentences are long where nobody punctuates
_HEAD_SENTENCES = 28  # up to there a sponsor is announced whose read comes later


def mark_reads(sentences: Sequence[Sentence], marks: list[SegmentMark | None]) -> None:
    """Mark each sentence that gives a read or a promotion away, and what carries it on."""
    for number, sentence in enumerate(sentences):
        rule = next((rule for rule in READS if rule.pattern.search(sentence.text)), None)
        if rule is None:
            continue
        present = marks[number]
        # "Rate us" among goodbyes is one of them.
        if present is None or (present.score <= rule.score and (present.kind != "outro" or "newsletter" in rule.name)):
            marks[number] = SegmentMark(rule.kind, rule.score, rule.name)
        if rule.name == "more about them later":
            continue
        if rule.kind == "sponsor" or rule.name == "brought to you by us":
            _extend(sentences, marks, number, rule)
        elif rule.name in CARRIES_ON:
            extend_turn(sentences, marks, number, rule, most=CARRIES_ON[rule.name])


def mark_between(sentences: Sequence[Sentence], marks: list[SegmentMark | None]) -> None:
    """Reads that begin by naming their sponsor and end by thanking it: everything between is the read, whatever it says."""
    opening: int | None = None
    for number, sentence in enumerate(sentences):
        found = marks[number]
        opens_or_closes = found is not None and found.rule in OPENS_OR_CLOSES
        # Announced at the head of the show, a sponsor's read comes later: there only thanks end what was begun.
        asks = opening is not None and opening >= _HEAD_SENTENCES and CLOSES.search(sentence.text) is not None
        thanks = found is not None and found.rule == "thanks for sponsoring"
        if (
            opening is not None
            and (thanks or asks)
            and 1 < number - opening <= _LONGEST_BETWEEN
            and sentence.end - sentences[opening].begin <= _MOST_WORDS
        ):
            between = sentences[opening + 1 : number]
            names = _names(sentences[opening].text)
            thanked = _names(sentence.text) if thanks else set[str]()
            one_voice = all(other.speaker == sentence.speaker for other in between)
            if one_voice and not (names and thanked and not names & thanked):
                for position in range(opening + 1, number + 1):
                    marks[position] = marks[position] or SegmentMark("sponsor", 0.8, "between announcement and thanks")
                opening = number
        if opens_or_closes:
            opening = number


def _extend(sentences: Sequence[Sentence], marks: list[SegmentMark | None], number: int, rule: Rule) -> None:
    """Over the neighbours of the same speaker, up to the last one that still sells."""
    names = _names(sentences[number].text) or _subject(sentences, number)
    # An announcement that names nobody ("time for sponsored news") is followed by a read of unknown subject.
    ahead = _LOOK_AHEAD if names or rule.name in SAYS_LITTLE else 4 * _LOOK_AHEAD
    for step in (1, -1):
        last = position = number
        while 0 <= position + step < len(sentences) and abs(position + step - number) <= _MAX_READ:
            position += step
            sentence = sentences[position]
            if sentence.speaker != sentences[number].speaker or BACK.search(sentence.text):
                break
            if abs(sentence.begin - sentences[number].begin) > _MOST_WORDS // 2:
                break
            named = _is_named(names, sentence.text)
            lead_in = position == number - 1 and LEAD_IN.search(sentence.text)
            # Backwards only what belongs to this read by name: an address there may end the content before it.
            if named or (SELLING.search(sentence.text) if step > 0 else lead_in):
                last = position
                if not names and CALL.search(sentence.text):
                    break
            elif abs(position - last) >= (ahead if step > 0 else 2):
                break
        if step > 0 and names:
            last = _call_of(sentences, number, last, names)
        for extended in range(number + step, last + step, step):
            if marks[extended] is None:
                marks[extended] = SegmentMark(rule.kind, round(rule.score - 0.1, 2), f"{rule.name} (goes on)")


def _call_of(sentences: Sequence[Sentence], number: int, last: int, names: set[str]) -> int:
    """Where a long read ends: the last sentence of the turn that both names the sponsor and sells; `last` where there is none."""
    found = last
    for position in range(last + 1, min(len(sentences), number + 1 + _LONGEST_READ)):
        sentence = sentences[position]
        if sentence.speaker != sentences[number].speaker or BACK.search(sentence.text) or position - found > _LONGEST_STORY:
            break
        if SELLING.search(sentence.text) and _is_named(names, sentence.text):
            found = position
    return found


def _subject(sentences: Sequence[Sentence], number: int) -> set[str]:
    """Who sells where the announcement names nobody: the name that the next sentence begins with."""
    following = sentences[number + 1] if number + 1 < len(sentences) else None
    match = SUBJECT.match(following.text) if following and following.speaker == sentences[number].speaker else None
    return {match[1]} if match and match[1].lower() not in COMMON and len(match[1]) > 3 else set()


def _names(text: str) -> set[str]:
    """Names of who may be selling, from the sentence that gave the read away."""
    found = {match[1].rstrip(".") for match in PROPER.finditer(text)}
    found |= {name.split()[0] for name in found}
    # `larkrack dot example` and `larkrack.example/show` name Larkrack.
    found |= {re.split(r"[.\s]", address[0])[0] for address in re.finditer(ADDRESS, text, re.I)}
    return {name for name in found if name.lower() not in COMMON and len(name) > 3}


def _is_named(names: set[str], text: str) -> bool:
    return any(re.search(rf"\b{re.escape(name)}\b", text, re.I) for name in names)
