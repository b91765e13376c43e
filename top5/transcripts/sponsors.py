"""What in a transcript is not content: sponsor reads, the house's own promotion, greetings, goodbyes, music, words of other episodes.

Belongs here: from segments to sentences and back to a mark for each segment. Does not belong here: the patterns (`ad_rules`), how far a
read goes (`reads`, `house`), what happens to marked segments (the insights' business).

The rules are conservative: a read is told by words that address the listener of *this show* ("this episode is brought to you by",
"use code SIGNAL"), never by its subject, so that talk about sponsorship, discounts or newsletters stays content. A read then extends
over its neighbours only as far as they carry on selling: the sponsor's name, an offer, an address. English only.
"""

from collections.abc import Sequence

from top5.transcripts.ad_rules import BACK, CALL, GREETINGS, LIST_ITEM, MUSIC, OUTROS, READS, MarkKind, SegmentMark, Sentence
from top5.transcripts.house import extend_house
from top5.transcripts.model import Segment
from top5.transcripts.reads import mark_between, mark_reads
from top5.transcripts.words import ends_sentence

__all__ = ["MarkKind", "SegmentMark", "mark"]

_LONG_SENTENCE = 40  # words after which the end of a cue ends a sentence, too, and twice as many end it anywhere
_LONGEST_WORD = 100  # characters; what is longer is no word, and patterns for addresses would take its length squared
_MAX_ITEM = 8  # paragraphs of a sponsored item in a written script
_EDGE_SECONDS = 150.0
_EDGE_SENTENCES = 14
_EDGE_SHARE = 0.12


def mark(segments: Sequence[Segment], *, total: float | None = None) -> list[SegmentMark | None]:
    """One mark or None per segment, in order.

    `total` is the episode's duration in seconds; without it the place in the episode is counted in words. A segment is marked
    where rules cover at least half of its words, so that a long turn with a short read inside stays. Music is told by its label;
    `Segment.repeated` (see `repeats`) marks what other episodes of the show say in the same words.
    """
    tokens: list[str] = []
    owner: list[int] = []
    for number, segment in enumerate(segments):
        found = segment.text.split()
        tokens += found
        owner += [number] * len(found)
    sentences = _sentences(segments, tokens, owner, total)
    marks: list[SegmentMark | None] = [None] * len(sentences)
    _mark_edges(sentences, marks)
    mark_reads(sentences, marks)
    mark_between(sentences, marks)
    extend_house(sentences, marks)
    found = _per_segment(segments, sentences, marks, owner)
    _mark_sponsored_items(segments, found)
    for number, segment in enumerate(segments):
        if MUSIC.match(segment.text):
            found[number] = SegmentMark("music", 0.9, "music")
        elif segment.repeated and found[number] is None:
            found[number] = SegmentMark("repeat", 0.85, "stands in other episodes")
        elif LIST_ITEM.match(segment.text) and number and (before := found[number - 1]) and before.kind in ("promo", "outro"):
            # "For the full scoop, such as:" and what it promises.
            found[number] = SegmentMark("promo", round(before.score - 0.1, 2), f"{before.rule} (goes on)")
    return found


def _mark_sponsored_items(segments: Sequence[Segment], found: list[SegmentMark | None]) -> None:
    """A written script's sponsored item: after "time for sponsored news" everything up to the headline after its own."""
    rule = next(rule for rule in READS if rule.name == "sponsored news")
    for number, segment in enumerate(segments):
        if segment.start is not None or not rule.pattern.search(segment.text):
            continue
        headlines = 0
        for position in range(number + 1, min(number + 1 + _MAX_ITEM, len(segments))):
            text = segments[position].text
            headlines += len(text.split()) <= 10 and text[-1:] not in ".!?:…" and not LIST_ITEM.match(text)
            if headlines > 1 or segments[position].speaker != segment.speaker or BACK.search(text):
                break
            if found[position] is None and headlines:
                found[position] = SegmentMark("sponsor", round(rule.score - 0.1, 2), f"{rule.name} (goes on)")
            if headlines and CALL.search(text):
                break


def _sentences(segments: Sequence[Segment], tokens: Sequence[str], owner: Sequence[int], total: float | None) -> list[Sentence]:
    sentences: list[Sentence] = []
    begin = 0
    for position, token in enumerate(tokens):
        last = position + 1 == len(tokens)
        following = None if last else tokens[position + 1]
        turn_ends = not last and segments[owner[position]].speaker != segments[owner[position + 1]].speaker
        # Paragraphs and turns without times are no cues: their end is the end of a sentence.
        block_ends = not last and owner[position] != owner[position + 1] and segments[owner[position]].start is None
        # Where nobody punctuates, a word that sells would make a read of all.
        length = position + 1 - begin
        cue_ends = length >= _LONG_SENTENCE and not last and owner[position] != owner[position + 1]
        if not (last or turn_ends or block_ends or cue_ends or length >= 2 * _LONG_SENTENCE or ends_sentence(token, following)):
            continue
        segment = segments[owner[begin]]
        place = segment.start / total if total and segment.start is not None else begin / max(1, len(tokens))
        own = owner[begin : position + 1]
        sentences.append(
            Sentence(
                begin=begin,
                end=position + 1,
                text=" ".join(token[:_LONGEST_WORD] for token in tokens[begin : position + 1]),
                speaker=segment.speaker,
                start=segment.start,
                place=min(1.0, place),
                repeated=2 * sum(segments[number].repeated for number in own) > len(own),
            )
        )
        begin = position + 1
    return sentences


def _mark_edges(sentences: Sequence[Sentence], marks: list[SegmentMark | None]) -> None:
    """Greetings at the beginning and goodbyes at the end; the same words in the middle are content."""
    final = max((sentence.start for sentence in sentences if sentence.start is not None), default=None)
    count = len(sentences)
    for number, sentence in enumerate(sentences):
        if len(sentence.text.split()) > 45:
            continue
        opening = (
            number < _EDGE_SENTENCES
            or sentence.place <= _EDGE_SHARE / 2.5
            or (sentence.place <= _EDGE_SHARE and sentence.start is not None and sentence.start <= _EDGE_SECONDS)
        )
        closing = number >= count - _EDGE_SENTENCES or (
            sentence.place >= 1 - _EDGE_SHARE
            and sentence.start is not None
            and final is not None
            and sentence.start >= final - _EDGE_SECONDS
        )
        rules = (
            *(OUTROS if closing and sentence.place > 0.5 else ()),
            *(GREETINGS if opening and sentence.place < 0.5 else ()),
        )
        rule = next((rule for rule in rules if rule.pattern.search(sentence.text)), None)
        if rule:
            marks[number] = SegmentMark(rule.kind, rule.score, rule.name)


def _per_segment(
    segments: Sequence[Segment], sentences: Sequence[Sentence], marks: Sequence[SegmentMark | None], owner: Sequence[int]
) -> list[SegmentMark | None]:
    words = [0] * len(segments)
    covered: list[dict[SegmentMark, int]] = [{} for _ in segments]
    for sentence, found in zip(sentences, marks, strict=True):
        for position in range(sentence.begin, sentence.end):
            words[owner[position]] += 1
            if found:
                counts = covered[owner[position]]
                counts[found] = counts.get(found, 0) + 1
    result: list[SegmentMark | None] = []
    for size, counts in zip(words, covered, strict=True):
        share = sum(counts.values()) / size if size else 0.0
        if share < 0.5:
            result.append(None)
            continue
        main = max(counts, key=lambda found: (counts[found], found.score))
        result.append(SegmentMark(main.kind, round(main.score * share, 3), main.rule))
    return result
