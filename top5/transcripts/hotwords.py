"""Names that speech to text should expect in an episode: from title, people and show notes.

Belongs here: choosing a few names from untrusted text, where they may have been misheard, and taking them from a second hearing. Does not
belong here: decoding (`speech`), repairing names by their spelling alone (the insights' business).

Whisper takes hot words for what was said before. Given to every window they cost whole sentences at windows' heads, so that the words come
from a decode without them, and a decode with them may only put names in place of words that sound alike.
"""

import re
from collections import Counter
from collections.abc import Sequence

from rapidfuzz import fuzz

from top5.transcripts.clean import clean_text
from top5.transcripts.pieces import HeardWord
from top5.transcripts.quality import joined

_MOST_CHARACTERS = 300  # about 90 of the 224 tokens that Whisper reads as a prompt
_SHORTEST = 4  # letters: shorter names have too many neighbours
# Likeness of letters in percent: of one word, and of two together, that is worth a second hearing, and of one that is believed after it.
_MAY_BE, _TOGETHER, _IS = 60, 70, 50
_LONGEST_NAME, _TIMES_ARE_WRONG = 2.0, 0.3  # seconds
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
    """Stretches (seconds, in order, none overlapping) in which a word, or two together, sounds like one of `names` and is not it.

    A word that is also heard in small letters is an everyday word, no name and no mishearing.
    """
    bare = [_letters(word.text) for word in words]
    everyday = {
        letters
        for word, letters in zip(words, bare, strict=True)
        if word.text.strip()[:1].islower() or len(letters) < _SHORTEST - 1
    }
    wanted = _parts(names) - everyday
    found: list[tuple[float, float]] = []
    for first, last in ((at, at + size) for at in range(len(words)) for size in (1, 2) if at + size <= len(words)):
        start, end, heard = words[first].start, words[last - 1].end, "".join(bare[first:last])
        known = everyday | wanted
        if start is None or end is None or set(bare[first:last]) <= known or end - start > _LONGEST_NAME:
            continue
        if any(_alike(heard, name) >= (_MAY_BE if last - first == 1 else _TOGETHER) for name in wanted):
            found.append((max(0.0, start - _CONTEXT), end + _CONTEXT))
    return joined(found)


def with_names(words: Sequence[HeardWord], again: Sequence[HeardWord], names: str) -> list[HeardWord]:
    """`words` with names from `again`, a second hearing of the same audio, where words that sound alike stand at the same time.

    Nothing is added and nothing is lost: two words for one name become one word with the times of both.
    """
    wanted = _parts(names)
    bare = [_letters(word.text) for word in words]
    chosen: dict[int, tuple[int, HeardWord]] = {}
    for new in again:
        name = _letters(new.text)
        near = [at for at, word in enumerate(words) if _together(word, new)] if name in wanted else []
        if any(bare[at] == name for at in near):
            continue
        # In small letters it is an everyday word, whatever the second hearing was led to expect.
        near = [at for at in near if not words[at].text.strip()[:1].islower()]
        one = [(_alike(bare[at], name), at, 1) for at in near]
        two = [(_alike(bare[at] + bare[at + 1], name), at, 2) for at in near if at + 1 in near]
        fitting = [choice for choice in one if choice[0] >= _IS] + [choice for choice in two if choice[0] >= _TOGETHER]
        if fitting:
            _, at, size = max(fitting, key=lambda choice: choice[0])
            chosen[at] = (size, new)
    result: list[HeardWord] = []
    at = 0
    while at < len(words):
        size, name = chosen.get(at, (1, None))
        result.append(_renamed(words[at : at + size], name) if name else words[at])
        at += size
    return result


def _together(old: HeardWord, new: HeardWord) -> bool:
    """Whether two hearings put these words at the same time, give or take what word times are wrong by."""
    if old.start is None or new.start is None:
        return False
    return old.start <= (new.end or new.start) + _TIMES_ARE_WRONG and new.start <= (old.end or old.start) + _TIMES_ARE_WRONG


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
