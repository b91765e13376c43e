"""Names that speech to text should expect in an episode: from title, people and show notes.

Belongs here: choosing a few names from untrusted text. Does not belong here: correcting names afterwards (the insights' business).
"""

import re
from collections import Counter
from collections.abc import Sequence

from top5.transcripts.clean import clean_text

_MOST_CHARACTERS = 300  # about 90 of the 224 tokens that Whisper reads as a prompt
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
