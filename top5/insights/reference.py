"""Does a passage stand alone? Rules on what its first words and its pronouns point to.

Belongs here: shallow rules for reference in English (after the idea of self-containedness in Choi et al. 2021,
"Decontextualization",
done without a parser: a pronoun is taken as resolved when a noun of its kind stands before it in the passage). Form and truth of
a
passage are checked elsewhere.
"""

import re

from top5.insights.words import FINITE_VERBS, STOPWORDS, is_common, lower_words, word_set, words

_SINGULAR_HUMAN = word_set("he him his himself she her hers herself he's he'd he'll she's she'd she'll")
_PLURAL = word_set("they them their theirs themselves they're they've they'd they'll")
_NEUTER = word_set("it its itself it's it'd it'll")
_BAD_FIRST_WORDS = {
    "pronoun_start": _SINGULAR_HUMAN | _PLURAL | _NEUTER,
    "demonstrative_start": word_set("this that these those such that's that'd that'll here here's there's"),
    "connective_start": word_set(
        "but or nor yet because cause 'cause which who whom whose where whereas than then also plus instead otherwise however "
        "therefore thus "
        "hence consequently meanwhile nevertheless nonetheless still except besides likewise similarly namely and so too "
        "again secondly thirdly fourthly finally lastly "
        "moreover furthermore although though unless until until either neither both same another other others ditto"
    ),
    "answer_start": word_set(
        "yes no yeah yep nope not maybe perhaps probably sure exactly absolutely right correct true nah none"
    ),
    "first_or_second_person_start": word_set("i i'm i've i'd i'll me my you your you're you've you'd you'll"),
}
_FINE_AFTER_CONNECTIVE = re.compile(r"^(?:although|though|unless|until|because|where|whereas) .{8,90}?, ", re.I)
_EXISTENTIAL = re.compile(
    r"^there(?:'s| is| are| were| was| will be| has been| have been) (?:a|an|no|about|roughly|around|some"
    r"|few|only|already|more|at least|nearly|\d|(?!that\b|this\b|it\b|one\b)[a-z-]{5,}\b)",
    re.I,
)
# "It is hard to", "It turns out that": an `it` that stands for what follows.
_EXPLETIVE_OPENING = re.compile(
    r"^it(?:'s| is| was| takes| took| turns| makes) "
    r"(?!(?:\w+ )?(?:able|going|supposed|meant|designed|used|ready|trying|about|up)\b)(?:[\w'-]+ ){0,4}?(?:to|that|for \w+(?: \w+)? to|when|if)\b",
    re.I,
)
_EXAMPLE_OPENING = re.compile(
    r"^(?:for (?:example|instance)|in (?:other words|particular|addition|contrast|fact|general|theory|practice)"
    r"|on the (?:other|one|flip) (?:hand|side)"
    r"|as (?:an example|such|a result|opposed)|after (?:that|which)|at (?:this|that) point|in (?:this|that|which) case|similar(?:ly)?|again"
    r"|of (?:those|these|them)|the (?:exact )?opposite|and|only then|but|as (?:you|we|i)|like (?:you|we|i)"
    r"|speaking of|talking about|(?:because|on top|instead|in light) of (?:the|this|that|these|those)\b|even (?:worse|better|more)(?: than)?)\b",
    re.I,
)
_NUMBERED_HEAD = re.compile(
    r"^the (?:(?:second|third|fourth|fifth|other|two|three|four|five|latter|former|only other|previous|following|next|final|affected|original"
    r"|aforementioned|current|new|old) [a-z]"
    r"|(?:first|last|main|key|big|biggest) (?:version|step|option|part|one|thing|item|point|piece|two|three)\b)",
    re.I,
)
# "Core Lightning #7342, which fixes ...": an announced item; what should be said of it never comes.
_ITEM = re.compile(r"^(?:[\w.#'&-]+ ){0,5}[\w.#'&-]*\d[\w.]*, (?:which|where)\b")
_BARE_QUANTIFIER = re.compile(
    r"^(?:some|many|most|several|few|all|each|both|one|two|three|four|five|half|part|others|plenty|none|neither)"
    r" (?:of (?:it|them|those|these|which|that|us|you) )?(?:is|are|was|were|have|has|had|would|will|can|could|do|does|did|might|may)\b",
    re.I,
)
_EMPTY_HEAD = re.compile(
    r"^the (?:(?:other|first|second|third|last|only|main|real|big|whole|next|biggest|interesting|simple"
    r"|short|key|nice|cool|neat|great|primary|underlying|big|important|most important|linked|same|good|bad) )*"
    r"(?:answer|problem|reason|thing|point|idea|difference|result|question|issue|trick|example|one|ones|two|three|latter|former|"
    r"others?|rest|same|way|part|case|story|argument|goal|advantage|downside|upside|benefit|challenge"
    r"|secret|lesson|news|numbers?|fix|motivation|rationale|downsides|upsides|workaround|solution|change|concern|trade-?off|caveat"
    r"|takeaway|consequence|implication|purpose|hope|plan|gotcha|intuition|situation)"
    r"(?:'s|\s+(?:is|was|are|were|involves|means|people|here|there|has|had|isn't|wasn't|that i|that we|i|we|you|he|she|they|it|being|would|will))\b",
    re.I,
)
_POINTS_OUTSIDE = re.compile(
    r"\b(?:the (?:latter|former|aforementioned|above)|that one|this one|the other (?:one|side|thing|way"
    r"|two|approach)|in (?:that|this|these|those) (?:case|cases|way|sense|regard)"
    r"|that (?:particular|specific|exact|same|very) \w+"
    r"|(?:before|after|with|by|for|from|under|on|of|to|beyond|besides) (?:this|that)(?=[,.;])|the \w+ here (?:is|was)"
    r"|(?:do|does|did|doing|done) (?:that|this|it|so)\b|like that|like this|that way|this way|that kind of|this kind of|that sort of|this sort of"
    r"|these (?:things|guys|people)|those (?:things|guys|people)|this guy|as such\b(?= |,)"
    r"|because of (?:that|this)|right here|(?:over|down|up) there|(?<!in )here(?=[,.;])|as (?:shown|seen) (?:here|below|above)"
    r"|for that reason|after that|before that|since then|by then"
    r"|at that (?:point|time)|that's (?:why|how|what|where|when|the|one|a)"
    r"|which is why|one of (?:them|those|these)|all of (?:them|those|that|this)|some of (?:them|those"
    r"|these|that)|most of (?:them|those|these|that)|both of (?:them|those|these)|your (?:example"
    r"|question|point)|you (?:mentioned|said|asked)"
    r"|the same (?:thing|way|problem|reason|idea))\b",
    re.I,
)
_THAT_NOUN = re.compile(
    r"\b(?:when|if|after|before|once|for|of|in|with|to|at|on|by|from|about|because|all|using|and|but"
    r"|so) that (?!the\b|a\b|an\b|is\b|are\b|you\b|we\b|i\b|it\b|they\b|he\b|she\b)[a-z]+",
    re.I,
)
_NEXT_ITEM = re.compile(
    r"^(?:the )?(?:next|first|second|third|fourth|last|final) (?:one|two|three|pr|prs|item|items|up|thing"
    r"|question|story|topic|of all|change|bug|feature|release|article|link|paper)\b|^next,? |^(?:the )?(?:next|last|first|final) \w+ (?:is|here)\b",
    re.I,
)
_POINTS_AHEAD = re.compile(r"^(?:\S+ ){2,9}(?:it|this|that|so)[.!]$", re.I)
_DEMONSTRATIVE = re.compile(
    r"\b(this|these|those)\s+(?!year|week|month|morning|summer|winter|spring|autumn|fall|decade|century|season)([a-z]+)", re.I
)
_DETERMINERS = word_set("a an the every each any some many most few several all no both another")
_PEOPLE = word_set(
    "man woman person engineer farmer doctor nurse patient worker manager founder investor scientist researcher boy girl "
    "child mother father "
    "driver pilot teacher student customer user owner buyer seller attacker developer operator employee boss colleague friend "
    "wife husband "
    "analyst economist mayor president minister lawyer judge officer soldier chief director host guest player author writer "
    "reader nobody "
    "somebody someone everyone everybody anybody anyone programmer maintainer contributor"
)
_NO_PLURAL = word_set(
    "is was has does this its us as yes always perhaps sometimes plus minus thus less across towards besides afterwards"
)


def dangling(sentences: list[str]) -> list[str]:
    """Why the passage of these cleaned sentences does not stand alone, each as "slug: detail"; empty where it does."""
    if not sentences:
        return ["empty: nothing is left"]
    problems: list[str] = []
    opening = _check_opening(sentences[0])
    if opening is not None:
        problems.append(opening)
    problems += [f"fragment: {sentence[:40]!r}" for sentence in sentences[1:] if not has_verb(sentence)]
    unresolved = _check_pronouns(sentences)
    if unresolved is not None:
        problems.append(unresolved)
    for pattern in (_POINTS_OUTSIDE, _POINTS_AHEAD, _THAT_NOUN, _NEXT_ITEM, _NUMBERED_HEAD, _BARE_QUANTIFIER, _ITEM):
        match = pattern.search(sentences[0])
        said = (
            pattern is _THAT_NOUN
            and match is not None
            and _said_before(match.group().split()[-1].lower(), sentences[0][: match.start()])
        )
        if match is not None and not said:
            problems.append(f"points_outside: {match.group()!r}")
    return problems


def has_verb(sentence: str) -> bool:
    """Whether a sentence has a finite verb among its words, by the word list and by contractions."""
    lower = lower_words(sentence)
    return any(word in FINITE_VERBS or word.endswith(("n't", "'s", "'re", "'ve", "'ll", "'d", "'m")) for word in lower)


def _check_opening(sentence: str) -> str | None:
    lower = lower_words(sentence)
    if not lower:
        return "empty: nothing is left"
    first = lower[0]
    if first in ("there", "there's"):
        return None if _EXISTENTIAL.match(sentence) else f"demonstrative_start: {first!r}"
    if _FINE_AFTER_CONNECTIVE.match(sentence) or _EXPLETIVE_OPENING.match(sentence):
        return None
    if example := _EXAMPLE_OPENING.match(sentence):
        return f"connective_start: {example.group().lower()!r}"
    for name, group in _BAD_FIRST_WORDS.items():
        if first in group:
            if first == "not" and len(lower) > 1 and lower[1] in ("every", "all", "one"):
                return None
            if first == "no" and len(lower) > 1 and not re.match(r"no\s*[,.]", sentence, re.I):
                return None
            if (
                first in ("both", "another", "other", "either", "neither", "true", "right", "correct")
                and len(lower) > 1
                and lower[1] not in FINITE_VERBS
            ):
                return f"{name}: {first!r}" if first in ("another", "other") else None
            return f"{name}: {first!r}"
    match = _EMPTY_HEAD.match(sentence)
    if match is not None:
        return f"empty_head: {match.group()!r}"
    if not has_verb(sentence):
        return f"no_verb: {sentence[:40]!r}"
    return None


def _check_pronouns(sentences: list[str]) -> str | None:
    people = plural = thing = False
    for number, sentence in enumerate(sentences):
        tokens = words(sentence)
        for position, token in enumerate(tokens):
            word = token.lower()
            base = word.removesuffix("'s")
            if word in _SINGULAR_HUMAN and not people:
                return f"unresolved_pronoun: {token!r}"
            if word in _PLURAL and not (plural or people):
                return f"unresolved_pronoun: {token!r}"
            if word in _NEUTER and not (thing or _expletive(tokens, position)):
                return f"unresolved_pronoun: {token!r}"
            if word == "that" and _stands_alone(tokens, position) and number == 0:
                return f"unresolved_pronoun: {token!r}"
            named = token[0].isupper() and not (position == 0 and is_common(token)) and word not in STOPWORDS
            people = people or named or base in _PEOPLE or base.removesuffix("s") in _PEOPLE
            if word in STOPWORDS or word[0].isdigit():
                continue
            follows_determiner = position > 0 and tokens[position - 1].lower() in _DETERMINERS
            thing = thing or named or follows_determiner or position + 1 < len(tokens)
            plural = (
                plural
                or named
                or (word.endswith("s") and word not in _NO_PLURAL and not word.endswith("ss"))
                or base in _IRREGULAR_PLURALS
            )
        if number == 0:
            match = _DEMONSTRATIVE.search(sentence)
            indefinite = match is not None and _INDEFINITE_THIS.search(sentence[: match.end()]) is not None
            if match is not None and not indefinite and not _said_before(match.group(2).lower(), sentence[: match.start()]):
                return f"unresolved_demonstrative: {match.group()!r}"
    return None


# "There is this tool that": speech for "a tool that".
_INDEFINITE_THIS = re.compile(r"\b(?:there's|there is|there are|had|have|has|called|got) (?:this|these) [a-z]+$", re.I)
_IRREGULAR_PLURALS = word_set(
    "people men women children mice teeth feet police data cattle companies staff team crew company bank firm government"
)


def _said_before(noun: str, text: str) -> bool:
    return noun.removesuffix("s") in {word.removesuffix("s") for word in lower_words(text)}


def _expletive(tokens: list[str], position: int) -> bool:
    """ "It takes", "it is hard to": an `it` that points to nothing."""
    word = tokens[position].lower()
    following = [token.lower() for token in tokens[position + 1 : position + 6]]
    if word == "it's" or (
        word == "it" and following[:1] and following[0] in ("is", "was", "takes", "took", "costs", "turns", "makes", "seems")
    ):
        return "to" in following or "that" in following
    return False


def _stands_alone(tokens: list[str], position: int) -> bool:
    """Whether `that` is a pronoun here: before a form of to be or after a preposition at a phrase's end."""
    if position + 1 >= len(tokens):
        return True
    following = tokens[position + 1].lower()
    before = tokens[position - 1].lower() if position else ""
    relative = position > 0 and before not in (
        "of",
        "in",
        "for",
        "by",
        "with",
        "from",
        "do",
        "did",
        "like",
        "and",
        "but",
        "so",
        "because",
        "is",
        "if",
        "when",
        "than",
    )
    return following in ("is", "was", "means", "would", "will") and not relative
