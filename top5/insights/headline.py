"""A headline out of a passage: the words of its strongest clause, unchanged.

Belongs here: finding a stretch of at most twelve words that reads as a statement. Without a parser a stretch counts as one when it
opens with its actor, holds a finite verb with something behind it, and ends where a phrase ends.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from top5.insights.numbers import numbers
from top5.insights.words import (
    ARTICLES,
    AUXILIARIES,
    BASE_VERBS,
    CONJUNCTIONS,
    FINITE_VERBS,
    NEGATIONS,
    PERSONAL,
    PREPOSITIONS,
    STOPWORDS,
    commonness,
    is_contraction_with_verb,
    lower_words,
    word_set,
)

LONGEST = 12
_LOWEST_POINTS = -0.8
_SHORTEST = 4
_SHORTEST_CUT = 6
_LOWEST_CUT = 0.0
_LATER_STANDS = 0.6
# What a stretch loses against a whole statement that opens the first sentence, chosen by reading the headlines of 170 passages.
_LATER_SENTENCE = 1.0
_UNKNOWN_VERB = 0.4
_CUT = 2.3
_HANGING = 1.8
_SPOKEN_OF = 1.2
_HALF_SAID = 0.7
_HALF = 6
_CONDITIONAL = word_set("if when once with by for as in during under after before since because although while")
_NO_CUT = word_set("instead sense way fact order case terms idea thing course")
_TAKES_BACK = word_set("unless until except without but not barely only though although if")
# What follows these would change the claim that stands before them.
_RESTRICTS = word_set("if unless until except without only than but not barely provided that who whose into onto of as like")
_BEFORE_BASE_FORM = word_set("will can may must should would could might not people don't won't can't cannot")
_COUNTS = re.compile(r"\d.*|two|three|four|five|six|seven|eight|nine|ten|next|last|first")
_PARTICLES = word_set("away apart back out up down off together forward")
_NO_END = (
    PREPOSITIONS
    | CONJUNCTIONS
    | ARTICLES
    | AUXILIARIES
    | word_set(
        "about roughly around nearly almost over under just very more less most every each its their his her our my your this "
        "these those that too "
        "quite rather even also only still much many any some no practically perfectly actually really simply around i we you "
        "he she they considerably "
        "one concept kind type lot addition "
        "always never often usually both either neither other another such same own perhaps an and's full whole new entire so"
    )
)
_NO_START = (
    CONJUNCTIONS
    | PERSONAL
    | word_set(
        "up somewhere nowhere anywhere this that these those there here then also even just only yes no well now still perhaps "
        "maybe to of by for with from at on in into across "
        "beyond below above roughly about around not more less something things much many it's there's that's here's which "
        "such than one other "
        "another again so too almost nearly until instead rather especially including like as"
    )
)
_SUBORDINATE = word_set("because while although if unless when where since so")
# A clause behind one of these is a condition, a concession or a reason: true, but seldom what the passage says.
_DEPENDENT = word_set("because while since whereas although though that")
_COMMENT = word_set(
    "thus therefore hence obviously basically apparently unfortunately clearly essentially certainly specifically typically "
    "meaning moreover furthermore additionally afterwards meanwhile moving sort kind "
    "technically fortunately luckily hopefully funnily interestingly frankly so some certain"
)
_RELATIVE = word_set("that which who whom whose where")
# What these promise comes with the "to" behind them.
_WANTS_TO = word_set(
    "ability able chance way ways need needs right incentive reason time order power going starting trying easy hard "
    "allow allows let lets help helps ask asks force forces enable enables"
)
_ROUGHLY = word_set("about around over under near")
_DEMONSTRATIVE = word_set("this that these those")
_FEWEST_CONTENT = 3
_OPENS_CLAUSE = word_set("what how who whom whose whether why where that which")
_TOKEN = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    bare: str
    start: int
    end: int

    @property
    def closes(self) -> bool:
        return self.text[-1] in ",;:.!?…)" or self.text in ("--", "—", "–")


def headline(sentences: Sequence[str]) -> str | None:
    """At most twelve consecutive words of one of the sentences, without closing punctuation, with a capital first letter.

    The best stretch by a few points: a number, a name, an opening of the sentence, the first sentence. A statement whose verb no list
    holds is a little worse than one whose verb is known, and the opening of a longer clause ("…") worse again. None where nothing reads as
    a statement.
    """
    found = [
        (points - _LATER_SENTENCE * number - less, -number, text, mark)
        for number, sentence in enumerate(sentences)
        for stretches, lowest, mark in (
            (_statements(sentence, any_verb=False), _LOWEST_POINTS, ""),
            (_statements(sentence, any_verb=True), _LOWEST_POINTS, ""),
            (_cut_clauses(sentence), _LOWEST_CUT, "…"),
        )
        for text, points, less in stretches
        if _stands(text) and points - _LATER_STANDS * number >= lowest
    ]
    if not found:
        return None
    _, _, text, mark = max(found)
    return _dressed(text) + mark


def _stands(text: str) -> bool:
    """Whether brackets and quotation marks close in `text`, and it holds enough words that mean something."""
    if text.count("(") != text.count(")") or text.count('"') % 2 or text.count("“") != text.count("”"):
        return False
    return sum(word not in STOPWORDS for word in lower_words(text)) >= _FEWEST_CONTENT


def _tokens(sentence: str) -> list[_Token]:
    return [
        _Token(m.group(), re.sub(r"^\W+|\W+$", "", m.group()).lower().replace("’", "'"), m.start(), m.end())
        for m in _TOKEN.finditer(sentence)
    ]


def _statements(sentence: str, *, any_verb: bool) -> list[tuple[str, float, float]]:
    """Stretches that say something whole, with their points and with what each is worse than the best kind."""
    tokens = _tokens(sentence)
    found: list[tuple[str, float, float]] = []
    for first in range(len(tokens)):
        if first > 0 and not (
            tokens[first - 1].closes
            or tokens[first - 1].bare in ("because", "so", "while", "and", "but", "since", "yet", "that", "whereas")
        ):
            continue
        if not _may_start(tokens, first):
            continue
        verb = _verb(tokens, first, any_verb=any_verb)
        if any_verb and (first > 0 or (verb is not None and _COUNTS.fullmatch(tokens[verb - 1].bare))):
            continue
        if verb is None or all(tokens[p].bare.endswith("ly") for p in range(first, verb)):
            continue
        if any(tokens[p].bare in _RELATIVE and tokens[p + 1].bare not in FINITE_VERBS for p in range(first, verb)):
            # "Tools that people use raise costs": the first verb is the relative clause's own.
            verb = _verb(tokens, first, any_verb=any_verb, after=verb + (tokens[verb].bare in AUXILIARIES))
            if verb is None or tokens[verb - 1].bare in PERSONAL:
                continue
        if tokens[first].bare.endswith("ing") and verb + 1 < len(tokens) and tokens[verb + 1].bare in PREPOSITIONS - _ROUGHLY:
            # "Computing the rise in block rates in": a noun that looks like the gerund's verb.
            continue
        for last in range(max(verb + 1, first + _SHORTEST - 1), min(first + LONGEST, len(tokens))):
            if _may_end(tokens, first, verb, last):
                text = sentence[tokens[first].start : tokens[last].end]
                # "And the previous certificate had ten days left": it was spoken of before.
                less = _SPOKEN_OF if first > 0 and tokens[first].bare == "the" else 0.0
                short = last - first < _HALF and not tokens[last].closes
                if short and last + 1 < len(tokens) and tokens[last + 1].bare in PREPOSITIONS:
                    # "Traffic puts wheels": on what?
                    less += _HALF_SAID
                found.append((text, _points(text, tokens, first, verb, last), less + _UNKNOWN_VERB * any_verb))
            if tokens[last].text[-1] in ".!?;:…":
                break
    return found


def _cut_clauses(sentence: str) -> list[tuple[str, float, float]]:
    """The longest openings of clauses that are no statements yet, cut where a phrase ends; who reads them sees that they go on.

    With the points of each comes what it is worse than a statement.
    """
    tokens = _tokens(sentence)
    found: list[tuple[str, float, float]] = []
    for first in range(len(tokens)):
        conditional = first == 0 and tokens[0].bare in _CONDITIONAL
        if not conditional and not ((first == 0 or tokens[first - 1].closes) and _may_start(tokens, first)):
            continue
        verb = _verb(tokens, first + conditional, any_verb=False) or _verb(tokens, first + conditional, any_verb=True)
        if verb is None:
            continue
        ends = range(max(verb + 1, first + _SHORTEST_CUT - 1), min(first + LONGEST, len(tokens) - 1))
        cuts = [last for last in reversed(ends) if _may_cut(tokens, verb, last)]
        for last in {*cuts[:1], *[last for last in cuts if not _hangs(tokens, first, last)][:1]}:
            text = sentence[tokens[first].start : tokens[last].end]
            points = _points(text, tokens, first, verb, last) - conditional
            found.append((text, points, _CUT + (_HANGING if _hangs(tokens, first, last) else 0.0)))
    return found


def _hangs(tokens: list[_Token], first: int, last: int) -> bool:
    """ "They spent nine…", "according…", "payments grew, and longer…": one waits for the next word, not for the next phrase."""
    return (
        bool(_COUNTS.fullmatch(tokens[last].bare))
        or tokens[last].bare == "according"
        or tokens[last + 1].bare == "of"
        or (tokens[last + 1].bare == "to" and _promises(tokens, first, last))
        or any(tokens[position].closes for position in range(first, last))
    )


def _may_cut(tokens: list[_Token], verb: int, last: int) -> bool:
    """Between two phrases, not in half a clause, and never before what takes back or turns round what was said."""
    clause = next((p for p in range(last, verb, -1) if tokens[p].bare in _OPENS_CLAUSE | _SUBORDINATE), None)
    if clause is not None and not any(tokens[p].bare in FINITE_VERBS for p in range(clause + 1, last + 1)):
        return False
    token, following = tokens[last], tokens[last + 1].bare
    if not token.bare or token.bare in _NO_END or token.bare in PERSONAL or token.bare.endswith("'s") or token.text[-1] in ".!?":
        return False
    if following in _TAKES_BACK or token.bare in _NO_CUT:
        return False
    return token.closes or following in PREPOSITIONS | CONJUNCTIONS or following in ("to", "that")


def _may_start(tokens: list[_Token], first: int) -> bool:
    token = tokens[first]
    if not token.bare or token.bare in _NO_START or token.bare in AUXILIARIES or token.bare in _COMMENT:
        return False
    if first and tokens[first - 1].bare in ("if", "when", "unless", "until", "whether"):
        return False
    if first > 0 and token.bare in FINITE_VERBS and not token.bare.endswith("ing"):
        return False
    if first > 0 and tokens[first - 1].text.endswith(",") and not _whole_before(tokens, first):
        return False
    # "and a person", "because each cell": fine; "and retires": the subject stands before the conjunction.
    before = tokens[first - 1] if first else None
    earlier = tokens[first - 2] if first > 1 else None
    if (
        before is not None
        and before.bare in ("and", "that", "but", "yet")
        and not before.closes
        and not (earlier and earlier.closes)
    ):
        if before.bare == "that" and (earlier is None or earlier.bare not in FINITE_VERBS):
            # "A decision that a node takes": a relative clause, no claim.
            return False
        return tokens[first].bare in ARTICLES or tokens[first].text[0].isupper() or tokens[first].text[0].isdigit()
    return True


def _whole_before(tokens: list[_Token], first: int) -> bool:
    """Whether a clause or an adverbial stands before the comma, not the first members of a list or half a subject."""
    opening = tokens[0].bare
    return opening in PREPOSITIONS or opening in CONJUNCTIONS or any(token.bare in FINITE_VERBS for token in tokens[1:first])


def _verb(tokens: list[_Token], first: int, *, any_verb: bool, after: int | None = None) -> int | None:
    """Position of the first finite verb behind a subject of at least one word; clause ends in between are not crossed.

    `after` looks for the first one behind that position.
    `any_verb` takes a word of unknown kind for a verb by its ending, for verbs that no list holds.
    """
    for position in range(first + 1, min(first + LONGEST, len(tokens))):
        bare = tokens[position].bare
        before = tokens[position - 1]
        if before.text[-1] in ",;:" and position - 1 >= first and "-" not in before.bare:
            return None
        if bare in CONJUNCTIONS and bare not in ("and", "or", "than", "that", "as"):
            return None
        if is_contraction_with_verb(bare) and bare.endswith(("'re", "'ve", "'ll", "n't")) and (after is None or position > after):
            return position
        if after is not None and position <= after:
            continue
        if tokens[position].text[0].isupper():
            # "Hash Time Locked Contracts": part of a name.
            continue
        verbal = bare in FINITE_VERBS or (
            any_verb and bare.endswith(("s", "ed")) and position > first + 1 and bare not in STOPWORDS
        )
        if (
            not verbal
            or before.bare in ARTICLES | PREPOSITIONS
            or before.bare in ("to", "every", "each", "its", "their", "this", "no", "that", "who", "which")
        ):
            continue
        if bare in BASE_VERBS and bare not in AUXILIARIES and not _plural_before(tokens, first, position):
            continue
        if _COUNTS.fullmatch(before.bare) and position + 1 < len(tokens) and tokens[position + 1].bare in PREPOSITIONS:
            # "the last two points": a noun that looks like a verb.
            continue
        if (
            position + 1 < len(tokens)
            and bare not in AUXILIARIES
            and tokens[position + 1].bare in FINITE_VERBS
            and tokens[position + 1].bare not in BASE_VERBS
        ):
            # "the used packs are": a participle or a noun before the verb itself.
            continue
        return position
    return None


def _plural_before(tokens: list[_Token], first: int, position: int) -> bool:
    """A base form is a finite verb after a plural or a modal, otherwise most likely a noun: "the launch", "prices fall"."""
    before = [tokens[p].bare for p in range(first, position)]
    if any(word in _BEFORE_BASE_FORM for word in before[-2:]):
        return True
    return any(word.endswith("s") and not word.endswith(("ss", "'s", "us")) and word not in STOPWORDS for word in before)


def _may_end(tokens: list[_Token], first: int, verb: int, last: int) -> bool:
    token = tokens[last]
    if token.bare in ("inside", "outside", "behind") and token.text[-1] in ".;":
        return True
    if (
        not token.bare
        or token.bare in _NO_END
        or token.bare in PERSONAL
        or token.bare in ("run", "made", "done")
        or token.bare.endswith("'s")
    ):
        return False
    ends = last + 1 == len(tokens) or token.text[-1] in ".;:!?"
    if token.bare.endswith("ly") and not (
        token.closes or (not ends and last - verb > 1 and tokens[last + 1].bare in CONJUNCTIONS)
    ):
        return False
    if not ends and not token.closes and (token.bare in FINITE_VERBS or token.bare.endswith("ing")) and last - verb < 2:
        return False
    if not ends and tokens[last + 1].bare == "to" and _promises(tokens, max(verb, last - 8), last):
        return False
    if not ends and any(tokens[position].bare in _SUBORDINATE for position in range(first + 1, last + 1)):
        return False
    if any(tokens[position].bare in _OPENS_CLAUSE for position in range(verb + 1, last + 1)) and not (
        last + 1 == len(tokens) or tokens[last].closes
    ):
        return False
    if any(tokens[position].text[-1] in ",;:" and "-" not in tokens[position].bare for position in range(first, last)):
        # A comma inside: only where the stretch runs to the end of the sentence.
        return ends
    if last + 1 >= len(tokens):
        return True
    following = tokens[last + 1].bare
    inside = [tokens[position].bare for position in range(first + 1, last + 1)]
    if following in ("after", "before", "later", "ago"):
        return False
    if following in _RESTRICTS:
        # "Heliq can deliver, if": a possibility stays one without its condition, a fact does not.
        return following == "if" and len(inside) >= _SHORTEST and any(word in ("can", "could", "may", "might") for word in inside)
    if not ends and (("than" in inside[-2:] and not token.closes) or ("from" in inside and following == "to")):
        return False
    if token.closes:
        return token.text[-1] != "," or not _continues_list(tokens, last)
    if token.bare in _PARTICLES and following in PREPOSITIONS:
        return False
    after_next = tokens[last + 2].bare if last + 2 < len(tokens) else ""
    participle = token.bare.endswith(("ed", "ing")) and last - verb > 1 and tokens[last - 1].bare not in STOPWORDS
    if following in PREPOSITIONS:
        return last > verb and not participle and not tokens[last + 1].closes and after_next not in PERSONAL
    if following.endswith("ed") and after_next in PREPOSITIONS and last - verb > 1:
        return True
    return following in (
        "and",
        "because",
        "while",
        "whereas",
        "although",
        "though",
        "so",
        "which",
        "whatever",
        "even",
        "since",
        "yet",
        "when",
        "where",
    ) and (following != "and" or _clause_follows(tokens, last + 2))


def _promises(tokens: list[_Token], first: int, last: int) -> bool:
    """ "The ability of a node", "starting", "for a node": cut before its "to" it says nothing; "not allowed" says too much."""
    inside = [tokens[position].bare for position in range(first, last + 1)]
    denied = inside[-1].endswith("ed") and not NEGATIONS.isdisjoint(inside)
    return denied or bool(_WANTS_TO & set(inside)) or "for" in inside or inside[-1] in BASE_VERBS


def _continues_list(tokens: list[_Token], last: int) -> bool:
    """ "Testing, sorting and rewiring": a comma that separates members of a list."""
    following = tokens[last + 1 : last + 5]
    return any(token.bare in ("and", "or") for token in following) and not any(
        token.bare in FINITE_VERBS for token in following[:3]
    )


def _clause_follows(tokens: list[_Token], position: int) -> bool:
    return any(token.bare in FINITE_VERBS for token in tokens[position : position + 6])


def _points(text: str, tokens: list[_Token], first: int, verb: int, last: int) -> float:
    count = last - first + 1
    points = 0.0
    points += 1.0 if numbers(text) else 0.0
    points += 0.6 if any(tokens[p].text[0].isupper() for p in range(first + (1 if first == 0 else 0), last + 1)) else 0.0
    points += 0.6 if first == 0 and commonness(tokens[0].bare) is None else 0.0
    points += 0.8 if first == 0 else 0.0
    points += 0.5 if tokens[last].closes or last + 1 == len(tokens) else 0.0
    points += 0.09 * min(count, 11)
    points -= 0.7 if verb - first > 8 else 0.0
    points -= 0.6 if last - verb < 2 else 0.0
    points -= 0.9 if count < 5 else 0.5 if count < 6 else 0.0
    points -= 1.2 if first and (tokens[first - 1].bare in _DEPENDENT) else 0.0
    points -= 0.8 if any(tokens[p].bare in _DEMONSTRATIVE and p + 1 <= last for p in range(first, last + 1)) else 0.0
    points -= 0.8 if tokens[verb].bare.endswith("ed") and verb < last and _adjective(tokens, verb) else 0.0
    points -= 0.8 * sum(tokens[p].bare in PERSONAL for p in range(first, last + 1))
    points += 0.05 * sum(tokens[p].bare not in STOPWORDS for p in range(first, last + 1))
    return points


def _adjective(tokens: list[_Token], verb: int) -> bool:
    """ "Extended public keys": a participle before a bare noun may be no verb at all."""
    following = tokens[verb + 1].bare
    return following not in STOPWORDS and not following[:1].isdigit() and not following.endswith(("ing", "ly"))


def _dressed(text: str) -> str:
    text = text.strip().strip('"“”‘()[]').rstrip(".,;:!?…—–- ")
    return text[:1].upper() + text[1:] if text[:1].islower() and not re.match(r"[a-z]+[A-Z]", text) else text
