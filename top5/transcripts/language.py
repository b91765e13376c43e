"""Which language a text is in, from its commonest words or its script.

Belongs here: telling the languages podcasts are made in apart, with enough text. Does not belong here: the language of audio (the speech
model's business).
"""

import re
from collections import Counter
from collections.abc import Mapping

_FEWEST_WORDS = 60
# Words that are frequent in one language and rare in its neighbours.
_COMMON: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the and of to is that it you was for with this have they we what but not be are",
        "de": "und der die das ist nicht ich wir ein eine auch mit dem den zu auf für aber wie sich",
        "fr": "et le la les des est une que dans pour pas vous qui ce nous sur avec mais je du",
        "es": "el que los las una por con para es pero como está del muy más se lo y en yo",
        "it": "il che di non è una per con sono ma come questo della anche più gli ho nel si perché",
        "pt": "que não uma para com os mas como é você isso muito mais do da em um eu são por",
        "nl": "het een en van dat niet ik is wij maar ook met voor zijn op te die naar wat hebben",
        "sv": "och att det är som inte jag en på med för men har vi ett den till också om kan",
        "da": "og at det er som ikke jeg en på med for men har vi et den til også af kan",
        "pl": "nie się jest to że na jak ale czy po tak co dla może był tego już tym od są",
    }.items()
}
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
)


def base_code(language: str | None) -> str | None:
    """`en` of `en-GB`, `EN_us` or `en`; None of nothing."""
    return language.strip().replace("_", "-").split("-")[0].lower() or None if language else None


def language_of(text: str) -> str | None:
    """A two-letter code, or None where the text is short or its language not clear."""
    letters = sum(1 for character in text if character.isalpha())
    for code, script in _SCRIPTS:
        # Kana decide for Japanese before its Chinese characters are counted.
        if letters > 40 and len(script.findall(text)) > (0.15 if code == "ja" else 0.4) * letters:
            return code
    words = re.findall(r"[^\W\d_]+", text.lower())
    if len(words) < _FEWEST_WORDS:
        return None
    counts = Counter(words)
    shares = sorted(((sum(counts[word] for word in common) / len(words), code) for code, common in _COMMON.items()), reverse=True)
    (best, code), (second, _) = shares[0], shares[1]
    return code if best >= 0.08 and best >= 1.5 * second else None
