"""The house style of an insight's body, as rules that name what is wrong.

Belongs here: form alone (length, sentences, address, openings, promises to buy). Whether it is true to the transcript is
`ground`,
whether it stands alone without its surroundings is `reference`, whether it matters is `salience`.
"""

import re

from top5.insights.reference import dangling
from top5.insights.sentences import split_text
from top5.insights.words import lower_words

STRICT_WORDS = (40, 50)
STRICT_CHARACTERS = (280, 360)
STRICT_SENTENCES = (2, 3)
RELAXED_WORDS = (25, 60)
RELAXED_CHARACTERS = (150, 430)
RELAXED_SENTENCES = (1, 4)

_URL = re.compile(
    r"https?://|www\.|\b[\w-]+\.(?:com|org|net|io|co|dev|fm|ai|app|example|xyz|info|shop|link)(?:/|\b(?!\.\w))"
    r"|\b\w+ dot (?:com|org|net|io|co|dev|fm|example)\b|\]\(|<[a-z/!]",
    re.I,
)
_GREETING = re.compile(
    r"^(?:hello|hi|hey|welcome|good (?:morning|evening|afternoon|day)|thanks?(?: you)?\b|bye|goodbye|cheers)\b"
    r"|\bwelcome (?:back )?to\b|\bthanks? (?:you )?(?:so much )?for (?:listening|joining|having|coming|tuning)\b"
    r"|\bmy (?:guest|co-?host)\b|\bi'm your host\b|\bour guest (?:is|today)\b|\bsee you (?:next|on"
    r"|again)\b|\bnice to (?:meet|see) you\b",
    re.I,
)
_META = re.compile(
    r"\b(?:this|today's|last|next|our last|previous|that|an|the|our|each|every) (?:episode|show|podcast"
    r"|segment|interview|newsletter)\b"
    r"|\b(?:on|in) (?:the|this|today's) (?:pod|program|programme|call|stream)\b"
    r"|\bshow notes\b|\b(?:as|like) (?:i|we|you|he|she|they) (?:just )?(?:said|mentioned|discussed|talked)\b"
    r"|\b(?:earlier|before) (?:i|we|you) (?:said|talked|mentioned)\b|\b(?:he|she|they) (?:said|says|told"
    r"|mentioned|explained|argues|argued)\b"
    r"|^(?:moving|jumping|turning|continuing|going) (?:on|in|over|back|right)?\b ?(?:to|into|with)\b"
    r"|\blet's (?:talk|get|move|jump|dive|start|turn|go)\b|\bwe(?:'ll| will|'re going to)(?: be)? (?:talk|get"
    r"|come|link|put|dive|cover|discuss)(?:ing)?\b"
    r"|\b(?:i|i'd) (?:like|love|want|wanted) to (?:talk|ask|know|hear|go back|come back|mention)\b|\bquestion\b.*\?$"
    r"|\b(?:listeners?|audience) (?:of|out there|at home)\b|\bin the chat\b"
    r"|\b(?:earlier|previously|already) (?:had |has |have )?mentioned\b|\bmentioned (?:earlier|before|previously|already)\b"
    r"|\b(?:that|as|like|what) (?:\w+ ){1,2}(?:mentioned|described|pointed out|was saying|alluded to|touched on)\b"
    r"|\bwe(?:'ve| have)? (?:already |recently |also )?(?:covered|linked|noted|talked|discussed|spoken?|featured)\b"
    r"|#\d+,? titled\b|\btitled, [\"“]|\bPR titled\b|\banswered (?:the|this|that) question\b|\bin a separate answer\b"
    r"|\b(?:the|this|linked) (?:article|blog ?post|post|video|page)"
    r" (?:says|talks|walks|goes|is|covers|starts)\b"
    r"|\bnewsletters?\b.{0,12}#\d|\bhat tip\b|\bto name a few\b|\b(?:is|are) listening here\b|\blink(?:s|ed)? (?:in|below|to it)\b",
    re.I,
)
# What an editor would cut from speech before anything else; a passage that needs such words is talk.
_TALK = re.compile(
    r"\byou know\b|\bor something\b|\b(?:and|or) (?:all )?(?:that )?(?:stuff|whatever)\b|\bkinda\b|\bgonna\b|\bblah\b"
    r"|\bi (?:don't|didn't) know\b|\bi'm not (?:exactly |really |quite |totally )?sure\b|\bi guess\b|\bif i (?:remember|recall|understand)\b"
    r"|\bhow do (?:i|you) say\b|\bi mean\b|\bi was like\b|\b(?:he|she|they|it)(?:'s| was| were| is) like,|\bwhat's it called\b"
    r"|\bnot gonna lie\b|\bto be honest\b|\bor so forth\b|\blet me see\b|\b(?:haha|lol|wow|yikes|yay|dude|folks)\b"
    r"|\bpretty (?:cool|neat|nice|awesome)\b"
    r"|\b(?:sounds|looks|is|was|be|are|that's|it's) (?:(?:so|very|really|super|pretty|kind of|also|just|quite|actually) )*"
    r"(?:cool|neat|awesome|fun|crazy|amazing)\b|\bsomething (?:cool|neat|fun)\b"
    r"|\b(?:the|a|an|of|your|our|their), (?!\")|\b(?!(?:very|long|many|much|far|way)\b)(\w{3,}), \1\b|\bso(?:,| like,) yeah\b|\b(?:but|and|so) yeah\b"
    r"|^(?:\S+ ){1,3}-- |\b(?:sort|kind) of (?:like|sort|kind)\b|\blike,? like\b|\bi'm trying to\b|\bbasically like\b",
    re.I,
)
# Markdown of a written script, and a heading that runs into the sentence below it.
_MARKUP = re.compile(r"(?:^|\s)>\s|\*\*?\w|\w\*\*?|(?:^|[.!?:] )\d{1,2}\.\s|\(\?\)|\[[^\]]*\]")
_RUN_IN = re.compile(
    r"(?<![.!?:;,\"“”‘'…—–-])(?<!\b[A-Z]) (?P<word>The|This|That|These|There|When|While|Many|Much"
    r"|After|Before|Here|How|Why|What|We|They|He|She|It|You"
    r"|If|For|By|As|Some|Our|My|Your|Their|With|From|Today|Now|Yes) (?=[a-z])"
)
_SPONSOR = re.compile(
    r"\bsponsor(?:s|ed|ing)?\b|\bbrought to you\b|\bpromo(?:tion)? code\b|\b(?:use|with) (?:the |my "
    r"|our )?(?:offer |discount )?code\b"
    r"|\bfree (?:trial|shipping|month|week|bread)\b|\bsign up\b|\bhead (?:on )?over to\b"
    r"|\bgo to [\w ]+ (?:dot|slash)\b|\bper ?cent off\b|\b% off\b"
    r"|\bdiscount\b|\bsubscribe\b|\brate (?:us|and review)\b|\breview us\b|\bleave (?:us )?a review\b"
    r"|\bpatreon\b|\bmembers?(?:'s?)? feed\b"
    r"|\bour (?:website|newsletter|merch|mailing list)\b|\bthe (?:merch|sunday letter)\b|\bmoney[- ]back guarantee\b"
    r"|\bgo-to (?:choice|tool|solution|platform)\b|\bat scale without\b|\bso you can focus on\b|\bget started (?:for free|today|at)\b"
    r"|\bstart(?:s|ing)? at \$|\b(?:a|per) month (?:plan|per)\b|\bused by teams\b|\btrusted by\b|\bbook a demo\b|\bsave (?:your|my) seat\b"
    r"|\bno credit card\b|\bmention the show\b"
    r"|\bfollow us\b|\bjoin (?:us|our)\b|\blive show\b|\bproducer is\b|\bmusic (?:is )?by\b|\beditor is\b",
    re.I,
)
_IMPERATIVE = re.compile(
    r"^(?:please\b|(?:ignore|disregard|forget) (?:all|any|every|the|your|previous|everything)\b"
    r"|don't (?:miss|forget|worry|be)\b|check (?:it|them|us|this|out)\b|click\b|tap\b|visit\b"
    r"|download\b|tell (?:a|your|us|me)\b"
    r"|share (?:this|it|the)\b|send (?:us|me|this)\b|stay tuned\b|stick around\b|listen (?:to|in|up)\b"
    r"|remember to\b|go (?:and|to|check|read|ask|look)\b"
    r"|imagine\b|picture\b|think (?:of|about)\b|let me\b|let us\b|let's\b|take (?:a look|my|the|care)\b"
    r"|look at\b|buy\b|try\b|suppose\b|say you\b|note that\b|read\b|forward\b)"
    r"|\b(?:go|please|should|must|to|can|and|just) check (?:(?:it|them|that|this) )?out\b|\bcheck out (?:the|that|this|our|his|her|their)\b"
    r"|\bfeel free to\b|\b(?:ignore|disregard|forget) (?:(?:all|any|the|your|of|these|those|previous|above|prior|earlier) )*"
    r"(?:instructions?|rules|prompts?)\b|\byou (?:must|should|need to|have to) (?:click|reply|forward|send|buy|subscribe"
    r"|visit)\b",
    re.I,
)
_TRAILING = re.compile(r"(?:(?:^|[.!?:] )\(?\d[.)]|\.\.\.|…|--|—|-|,|:|;)[\"'”’)]*$")


def check_style(body: str, *, strict: bool = True) -> list[str]:
    """What keeps `body` from being printed, each as "slug: detail"; empty where nothing does.

    `strict` bounds: 40-50 words, 280-360 characters, 2-3 sentences. Relaxed, for verbatim passages whose sentence ends demand it:
    25-60 words, 150-430 characters, 1-4 sentences.
    """
    found: list[str] = []
    sentences = split_text(body)
    _check_size(found, "words", len(body.split()), STRICT_WORDS if strict else RELAXED_WORDS)
    _check_size(found, "characters", len(body), STRICT_CHARACTERS if strict else RELAXED_CHARACTERS)
    _check_size(found, "sentences", len(sentences), STRICT_SENTENCES if strict else RELAXED_SENTENCES)
    found += check_wording(sentences)
    found += dangling(sentences)
    return found


def check_wording(sentences: list[str]) -> list[str]:
    """The rules on single sentences: no question, greeting, advertisement, address, link or talk about the talk."""
    found: list[str] = []
    for sentence in sentences:
        for slug, pattern in (
            ("url", _URL),
            ("sponsor", _SPONSOR),
            ("greeting", _GREETING),
            ("imperative", _IMPERATIVE),
            ("about_the_episode", _META),
            ("talk", _TALK),
            ("markup", _MARKUP),
            ("run_in", _RUN_IN),
            ("breaks_off", _TRAILING),
        ):
            match = pattern.search(sentence)
            if match is not None:
                found.append(f"{slug}: {match.group()!r}")
        if sentence.rstrip("\"'”’)").endswith("?"):
            found.append(f"question: {sentence[-40:]!r}")
    if sum(sentence.count('"') for sentence in sentences) % 2:
        found.append("breaks_off: a quotation is left open")
    if sentences and not re.search(r"[.!…][\"'”’)]*$", sentences[-1]):
        found.append(f"breaks_off: {sentences[-1][-30:]!r}")
    return found


def in_strict_range(body: str, sentences: int) -> bool:
    """Whether `body` has the length and the number of sentences of the house style."""
    count = len(body.split())
    return (
        STRICT_WORDS[0] <= count <= STRICT_WORDS[1]
        and STRICT_CHARACTERS[0] <= len(body) <= STRICT_CHARACTERS[1]
        and STRICT_SENTENCES[0] <= sentences <= STRICT_SENTENCES[1]
    )


def in_relaxed_range(body: str, sentences: int) -> bool:
    """Whether `body` has a length and a number of sentences that can be printed at all."""
    count = len(body.split())
    return (
        RELAXED_WORDS[0] <= count <= RELAXED_WORDS[1]
        and RELAXED_CHARACTERS[0] <= len(body) <= RELAXED_CHARACTERS[1]
        and RELAXED_SENTENCES[0] <= sentences <= RELAXED_SENTENCES[1]
    )


def slug(problem: str) -> str:
    """The countable part of a problem as `check_style` and `ground` write them."""
    return problem.split(":", 1)[0]


def second_person(text: str) -> bool:
    """Whether the listener is spoken to."""
    return any(word in ("you", "your", "yours", "you're", "you'll", "you've") for word in lower_words(text))


def _check_size(found: list[str], what: str, size: int, bounds: tuple[int, int]) -> None:
    if size < bounds[0]:
        found.append(f"too_few_{what}: {size}, at least {bounds[0]}")
    elif size > bounds[1]:
        found.append(f"too_many_{what}: {size}, at most {bounds[1]}")
