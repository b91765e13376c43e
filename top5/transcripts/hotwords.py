"""Names that speech to text should expect in an episode: from title, people and show notes.

Belongs here: choosing a few names from untrusted text, where they may have been misheard, and taking them from a second hearing. Does not
belong here: decoding (`speech`), repairing names by their spelling alone (the insights' business).

Whisper takes hot words for what was said before. Given to every window they cost whole sentences at windows' heads, so that the words come
from a decode without them, and a decode with them may only put names in place of words that sound alike.
"""

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from rapidfuzz import fuzz

from top5.transcripts.clean import clean_text
from top5.transcripts.pieces import HeardWord
from top5.transcripts.quality import joined

_MOST_CHARACTERS = 300  # about 90 of the 224 tokens that Whisper reads as a prompt
_SHORTEST = 4  # letters: shorter names have too many neighbours
_MAY_BE, _IS = 70, 60  # likeness of letters in percent: worth a second hearing; believed after it
_CONTEXT = 3.0  # seconds on both sides that are heard again with a name
_TAG = re.compile(r"<[^<>]{0,2000}>")
_ADDRESS = re.compile(r"https?://\S+|\S+@\S+|\b[\w-]+\.(?:com|org|net|io|dev|example)\S*")
# A capitalised word inside a sentence, or one with a capital or digit further in (`OpenAI`, `GPT-5`).
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][\w'’-]+(?: [A-Z][\w'’-]+){0,2}|\b[A-Za-z]+[A-Z][\w-]*|\b[A-Z]{2,}[\w-]*\d[\w-]*")
_ORDINARY = frozenset([
    "And", "Apple", "April", "August", "But", "Chapters", "December", "Disclaimer", "Episode", "Facebook", "February",
    "For", "Friday", "How", "Instagram", "January", "July", "June", "LinkedIn", "Links", "Listen", "March", "May",
    "Monday", "Notes", "November", "October", "Podcast", "Read", "Saturday", "September", "Show", "Sponsor", "Sponsors",
    "Spotify", "Subscribe", "Sunday", "That", "The", "This", "Thursday", "Transcript", "Tuesday", "Twitter",
    "Wednesday", "What", "When", "Why", "With", "YouTube",
])  # fmt: skip


def hot_words(title: str, show: str, people: Sequence[str], notes: str = "") -> str:
    """Names separated by commas, people first; at most 300 characters, because a long prompt makes a model repeat it."""
    text = _ADDRESS.sub(" ", clean_text(_TAG.sub(" ", notes[:50_000])))
    found = Counter(match[0].strip("'’-") for match in _NAME.finditer(f"{title} . {text}"))
    names = [*people, show, *(name for name, _ in found.most_common(40) if not _ORDINARY & set(name.split()))]
    chosen: list[str] = []
    for name in names:
        name = clean_text(name)[:60]
        if name and not any(name.lower() in known.lower() for known in chosen):
            if sum(len(known) + 2 for known in chosen) + len(name) > _MOST_CHARACTERS:
                break
            chosen.append(name)
    return ", ".join(chosen)


def misheard(words: Sequence[HeardWord], names: str) -> list[tuple[float, float]]:
    """Stretches (seconds, in order, none overlapping) in which one or two words sound like one of `names` and are not it.

    A word that is also heard in small letters is an everyday word, no name and no mishearing.
    """
    bare = [_letters(word.text) for word in words]
    everyday = {letters for word, letters in zip(words, bare, strict=True) if word.text.strip()[:1].islower()}
    wanted = {letters for letters in _parts(names) if letters not in everyday}
    found: list[tuple[float, float]] = []
    for first, last in [(at, at + size) for at in range(len(words)) for size in (1, 2) if at + size <= len(words)]:
        start, end = words[first].start, words[last - 1].end
        heard = "".join(bare[first:last])
        if start is None or end is None or heard in wanted or not (wanted and set(bare[first:last]) - everyday - wanted):
            continue
        if any(_alike(heard, name) >= _MAY_BE for name in wanted):
            found.append((max(0.0, start - _CONTEXT), end + _CONTEXT))
    return joined(found)


def with_names(words: Sequence[HeardWord], again: Sequence[HeardWord], names: str) -> list[HeardWord]:
    """`words` with names from `again`, a second hearing of the same audio, where they stand for words that sound alike.

    Nothing is added and nothing is lost: two words for one name become one word with the times of both.
    """
    wanted = _parts(names)
    first, second = [[_letters(word.text) for word in heard] for heard in (words, again)]
    result: list[HeardWord] = []
    for kind, begin, end, begin_again, end_again in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        old, new = words[begin:end], again[begin_again:end_again]
        fresh = second[begin_again:end_again]
        if kind != "replace" or not set(fresh) <= wanted:
            result += old
        elif len(old) == len(new):
            result += [
                _renamed([a], b) if _alike(_letters(a.text), _letters(b.text)) >= _IS else a
                for a, b in zip(old, new, strict=True)
            ]
        elif len(new) == 1 and len(old) == 2 and _alike("".join(first[begin:end]), fresh[0]) >= _IS:
            result.append(_renamed(old, new[0]))
        else:
            result += old
    return result


def _parts(names: str) -> set[str]:
    """The words of names, as letters; words without a capital (`von`) are none."""
    found = {_letters(word) for word in names.replace(",", " ").split() if any(letter.isupper() for letter in word)}
    return {letters for letters in found if len(letters) >= _SHORTEST}


def _letters(text: str) -> str:
    bare = text.strip().lower().replace("’", "'").removesuffix("'s")
    return "".join(character for character in bare if character.isalnum())


def _alike(heard: str, name: str) -> float:
    return fuzz.ratio(heard, name) if len(heard) >= _SHORTEST - 1 else 0.0


def _renamed(old: Sequence[HeardWord], new: HeardWord) -> HeardWord:
    """The new word with the old ones' place, times and closing punctuation."""
    text = re.sub(r"[^\w]+$", "", new.text.strip())
    before, after = re.match(r"\s*", old[0].text), re.search(r"(?:['’]s)?[^\w]*$", old[-1].text)
    if after and text.lower().endswith(("'s", "’s")):
        text = text[:-2]
    return old[0].model_copy(
        update={"text": (before[0] if before else "") + text + (after[0] if after else ""), "end": old[-1].end}
    )
