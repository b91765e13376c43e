"""Words as the rules of this package see them: tokens, stems, closed word classes, how common a word is.

Belongs here: word lists and pure functions on single words. Rules about sentences or passages live with the gate or feature that
uses them.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

WORD = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’][A-Za-zÀ-ɏ]+)*|\d+(?:[.,:]\d+)*")
VOCABULARY = Path(__file__).parent / "data" / "bert_vocab.txt"

_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def tidy(text: str) -> str:
    """`text` in NFC on one line, without control, direction and zero-width characters: those only serve to hide something."""
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", text)).split())


def words(text: str) -> list[str]:
    """The words and numbers of `text`, as spelled, apostrophes straightened."""
    return [match.replace("’", "'") for match in WORD.findall(text)]


def lower_words(text: str) -> list[str]:
    """`words`, lower-cased."""
    return [word.lower() for word in words(text)]


def word_set(*lines: str) -> frozenset[str]:
    """The words of some lines of text."""
    return frozenset(" ".join(lines).split())


ARTICLES = word_set("a an the")
PREPOSITIONS = word_set(
    "about above across after against along among around at before behind below beneath beside besides between beyond by down",
    "during except for from in inside into like near of off on onto out outside over past per since through throughout to toward",
    "towards under until up upon via versus vs with within without",
)
CONJUNCTIONS = word_set(
    "and but or nor so yet because although though while whereas if unless when whenever where once that than as since which who",
    "whose whom what why how whether until before after",
)
AUXILIARIES = word_set(
    "am is are was were be been being has have had do does did will would shall should can could may might must cannot can't",
    "isn't aren't wasn't weren't hasn't haven't hadn't doesn't don't didn't won't wouldn't shouldn't couldn't mustn't ain't",
    "'s 're 've 'll 'd",
)
PERSONAL = word_set(
    "i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself "
    "it its",
    "itself they them their theirs themselves i'm i've i'd i'll we're we've we'd we'll you're you've you'd you'll he's he'd "
    "he'll",
    "she's she'd she'll it's it'd it'll they're they've they'd they'll",
)
STOPWORDS = (
    ARTICLES
    | PREPOSITIONS
    | CONJUNCTIONS
    | AUXILIARIES
    | PERSONAL
    | word_set(
        "this that these those there here not no any some all each every both either neither other another such same own just "
        "only",
        "very too also even still then now well yes yeah okay ok oh um uh like really actually basically right kind sort lot "
        "lots bit",
        "thing things stuff something anything everything nothing someone anyone everyone somebody anybody everybody nobody "
        "one ones",
        "that's there's what's let's who's here's how's where's much many more most less least few quite rather almost maybe "
        "perhaps",
        "get gets got getting go goes going gone went come comes came make makes made say says said know knows think thinks want",
    )
)
CALENDAR = word_set(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september "
    "october",
    "november december",
)
FIRST_PERSON = word_set("i me my mine myself we us our ours ourselves i'm i've i'd i'll we're we've we'd we'll")
SECOND_PERSON = word_set("you your yours yourself yourselves you're you've you'd you'll")
NEGATIONS = word_set(
    "not no never nor neither none nobody nothing nowhere cannot can't isn't aren't wasn't weren't hasn't haven't hadn't doesn't",
    "don't didn't won't wouldn't shouldn't couldn't mustn't ain't without hardly barely scarcely rarely seldom",
)

_VERBS = word_set(
    "accept achieve act add adjust admit adopt affect afford agree aim allow announce answer appear apply approve argue "
    "arrive ask",
    "assume attack attract avoid ban beat become begin behave believe bend bind bite blame block blow boost borrow break "
    "bring build",
    "burn buy calculate call capture carry catch cause change charge check choose claim clean clear close collapse collect "
    "combine",
    "come compare compete compile complete compute confirm connect consider consist consume contain continue contribute control",
    "convert cool copy correct corrupt cost count cover crack crash create cross cure cut deal decay decide decline decrease "
    "define",
    "delay delete deliver demand deny depend deploy describe design destroy detect determine develop die differ dig disappear",
    "discover distribute divide dominate double drain draw drift drink drive drop dry earn eat eliminate emerge emit enable end",
    "enforce enter erase escape establish estimate evaporate evolve exceed exhaust exist expand expect expire explain explode "
    "exploit",
    "expose extend face fail fall feed feel fetch fight fill filter find finish fit fix float flow fly fold follow forbid force",
    "forget form freeze gain generate get give go grow guess halve handle happen harvest hear heat help hide hire hit hold hurt",
    "ignore imply improve include increase infect inform inherit install introduce invent invest involve join jump keep kill "
    "know",
    "lack land last launch lead leak learn leave lend let lie lift limit list live load lock look lose lower maintain make "
    "manage",
    "mask match matter mean measure meet melt miss mix monitor move multiply need negotiate notice obtain occupy occur offer "
    "open",
    "operate order outnumber outperform overestimate owe own pass pay perform permit pick plan plant play point pour predict "
    "prefer",
    "prepare preserve prevent produce promise prove provide publish pull pump push put quit raise reach react read realise "
    "realize",
    "recall receive recognise recognize recommend recover recycle reduce refuse reject release rely remain remember remove rent",
    "repair repeat replace report require rescue resist respond rest restart restore retain retire return reveal reverse "
    "reward ride ruin require encourage ensure protect mislead cultivate specify simplify validate verify optimize optimise publish adapt",
    "ring rise roll rot rotate run rush satisfy save scale scan see seek seem sell send separate serve set settle shape share",
    "shift ship shorten show shrink shut sign sink sit skip sleep slip slow solve sound spare speak speed spend spin split spoil",
    "spread stabilise stabilize stand start starve stay steal step stick stop store stretch strike struggle study succeed suffer",
    "suggest supply support survive suspend swap sweep switch take talk target teach tear tell tend test think throw tie "
    "touch track",
    "trade train transfer transform travel treat trigger trip triple trust try turn understand unlock update upgrade use "
    "vanish vary",
    "wait walk warm warn wash waste watch weaken wear weigh win wipe withdraw work worry write yield",
)
_IRREGULAR = word_set(
    "became began bent bound bit blew borrowed broke brought built burnt bought caught chose came cost cut dealt died dug "
    "drew drank",
    "drove ate fell fed felt fought found fit flew forbade forgot froze gained gave got went grew heard hid hit held hurt "
    "kept knew",
    "laid led left lent let lay lost made meant met melted paid put quit read rose ran said saw sought sold sent set shook "
    "shrank",
    "shut sank sat slept slid spoke spent spun split spread stood stole stuck struck swept swam took taught tore told thought "
    "threw",
    "understood won wore wrote beaten broken chosen driven eaten fallen forgotten frozen given grown hidden known written",
)


def _inflected(verb: str) -> Iterable[str]:
    yield verb
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        yield verb + "es"
    elif verb.endswith("y") and verb[-2] not in "aeiou":
        yield verb[:-1] + "ies"
        yield verb[:-1] + "ied"
    else:
        yield verb + "s"
    yield verb + "d" if verb.endswith("e") else verb + "ed"
    if re.search(r"[^aeiou][aeiou][^aeiouwxy]$", verb):
        yield verb + verb[-1] + "ed"


BASE_VERBS = _VERBS
FINITE_VERBS = frozenset(form for verb in _VERBS for form in _inflected(verb)) | _IRREGULAR | AUXILIARIES


def is_contraction_with_verb(word: str) -> bool:
    """Whether a lower-case word carries its verb in a contraction: `that's`, `they've`."""
    return word.endswith(("'s", "'re", "'ve", "'ll", "'d", "'m"))


def stem(word: str) -> str:
    """A crude stem of a lower-case English word: plural, past and -ing endings go, so that forms of one word compare equal.

    Deliberately lighter than Porter's algorithm: it must never join words that differ in meaning.
    """
    word = word.removesuffix("'s").removesuffix("'")
    if len(word) <= 3 or word[0].isdigit():
        return word
    for ending, replacement in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x")):
        if word.endswith(ending):
            return word[: -len(ending)] + replacement
    if word.endswith("ied") and len(word) > 4:
        return word[:-3] + "y"
    for ending in ("ing", "ed"):
        base = word.removesuffix(ending)
        if base != word and len(base) >= 3 and re.search(r"[aeiouy]", base):
            if len(base) > 3 and base[-1] == base[-2] and base[-1] not in "lsz":
                base = base[:-1]
            return base.removesuffix("e")
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


def content_stems(text: str) -> list[str]:
    """Stems of the words of `text` that carry content, in order, with repetitions."""
    return [stem(word) for word in lower_words(text) if word not in STOPWORDS]


@cache
def _ranks() -> dict[str, int]:
    lines = VOCABULARY.read_text("utf-8").splitlines()
    return {word: rank for rank, word in enumerate(lines) if word.isalpha()}


def commonness(word: str) -> int | None:
    """Rank in BERT's vocabulary, which is sorted by frequency (2,000 very common, 29,000 rare); None for a word not in it."""
    return _ranks().get(word.lower())


def is_common(word: str, limit: int = 15_000) -> bool:
    """Whether `word` (or its stem, or the verb it is a form of) is everyday English up to `limit` in frequency."""
    lower = word.lower().removesuffix("'s")
    if lower in STOPWORDS or lower in FINITE_VERBS:
        return True
    if "-" in lower:
        return all(is_common(part, limit) for part in lower.split("-") if part)
    base = stem(lower)
    single = base[:-1] if base[-2:-1] == base[-1:] else base
    for form in (lower, lower.removesuffix("s"), base, base + "e", single):
        rank = commonness(form)
        if rank is not None and rank <= limit:
            return True
    return False
