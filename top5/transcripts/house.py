"""How far the house's own promotion goes: where a show speaks of its courses, its newsletter, its live stream, and of where to find it.

Belongs here: from a sentence that surely promotes to the block it stands in. Does not belong here: what gives a promotion away
(`ad_rules`), sponsors' reads (`reads`).

In captions nobody marks who speaks, and hosts improvise: the same invitations come in other words each week. So a block is told by its
density of invitations: it goes on while one of a few sentences speaks of the house to the listener, or stands in other episodes of the
show too, and it ends where somebody hands over to the first topic.
"""

from collections.abc import Sequence

from top5.transcripts.ad_rules import ADDRESS, BACK, Rule, SegmentMark, Sentence, any_of

_HEAD_SENTENCES, _HEAD_SHARE = 48, 0.15
_LONG_GAP, _GAP = 5, 2  # one more than the sentences without an invitation that a block may hold
_ROW, _INVITATIONS = 4, 2  # so many of so many sentences at the head of a show are a block by themselves
_CHATTER = 3  # one more than the sentences between the last invitation and the first topic
_LONGEST = 40  # sentences
_LONGEST_LEAD = 6  # sentences before the one that gives an own product away
_OWN_PRODUCT, _GOES_ON = "own product", " (goes on)"
# After these a host stays with the house for a while.
_FIRM = frozenset({_OWN_PRODUCT, "brought to you by us", "word from the house"})

# Nothing but the house's own business is said with these words.
_INVITES = any_of(
    ADDRESS,
    r"(?<!\w)@\w{3,}",
    r"\b(?:show notes|patreon|patrons|contact form)\b",
    r"\byour (?:inbox|e-?mail|podcast (?:player|app))\b",
    r"\b(?:give us|enter|put in|leave|add) (?:your?|an?|the) (?:\w+ )?(?:name|e-?mail|information|address|question|comment)\b",
    r"\b(?:notify me|get notified|(?:be|become) a friend|give it away|e?mail (?:us|you|it to us)|(?:share|sell) (?:it|your)|follow (?:me|us))\b",
    r"\b(?:what|stuff) we(?:'re| are) up to\b|\bcommunicate with you\b",
    r"\b(?:connect|(?:keep|stay|get) in touch|talk|hang out) (?:\w+ )?(?:with|to) (?:us|you|me|the (?:show|hosts))\b",
    r"\b(?:join|watch|attend|catch|stream|record|participate|listen)(?:ing|s)?(?: us| it| the (?:show|episode)| in)?,? (?:live|on youtube)\b",
    r"\blive ?(?:stream|show|audience|session|recording|section|episode|chat)",
    r"\b(?:part of|in) (?:the|our) (?:live )?audience\b|\bin the chat\b|\bvideo (?:replay|version)",
    r"\b(?:older|past|previous|old) (?:episodes|versions|shows|recordings)\b",
    r"\b\d+(?::\d\d)? ?[ap]\.?m\.?(?: \w+)? time\b",
    r"\b(?:usually|almost always|typically) (?:at |on )?(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b",
    r"\b(?:listen to|check out|hear) (?:them|their) |\btheir (?:portion|segment|spot|section|ad)\b",
    r"\blater in the (?:show|episode)\b|\b(?:about|into) (?:them|that) (?:later|as we)\b",
    r"\bsign(?:ed|ing)? up\b|\bclick (?:on )?(?:the )?(?:\w+ )?(?:newsletter|button|link|subscribe|notify)\b",
    r"\blinks? (?:\w+ ){0,4}(?:notes|description|website|below)\b|\b(?:on|to|at) our (?:website|site|page|channel|youtube)\b",
    r"\bsend (?:us|you|it to you|out)\b|\bsupport(?:ing|s)? (?:us|the (?:show|podcast)|our work|this)\b|\bcheck (?:it|that|them|those|us) out\b",
    r"\b(?:pre-?order|for sale|on sale|discount|early access|black friday|cyber monday)\b|\d+(?:%| percent) off\b",
    r"\b(?:us(?:e|ing)|with) (?:the |our |that )?(?:promo )?code\b|\bour (?:\w+ )?(?:courses?|books?|training|podcasts?|merch|store)\b",
)
# These belong to it only where somebody offers them to somebody.
_HOUSE = any_of(
    r"\b(?:courses?|books?|training|podcasts?|app|deal|bundle|merch|tickets|member(?:s|ship)?|e-?mails?|the (?:list|show|link))\b",
    r"\b(?:youtube|mastodon|fosstodon|blue ?sky|twitter|linkedin|instagram|facebook|discord|slack|socials?|website|accounts?)\b",
    r"\b(?:newsletter|(?:mailing|e-?mail) list|summar(?:y|ies)|audience|appreciate|subscrib\w+|videos?|questions)\b",
)
_OFFERS = any_of(r"\b(?:we|us|our|i|i'm|i've|my|me|you|your|you'd|you'll|we're|we've|we'll|we'd|people|folks|everyone)\b")
_HANDS_OVER = any_of(
    r"\bwhat(?:'ve| have| do|'d| would| are| is|'s) (?:you|we|y'all|first|up|our first)\b",
    r"\b(?:kick|start)(?:ing)? (?:us |it |this |things )?off\b|\bstart (?:us|our|with|today)\b",
    r"\b(?:the |our |your |my )?(?:first|second|next) (?:news )?(?:topic|item|story|thing|one|section)\b|\bfront matter\b|\bspecial episode\b",
    r"\blet(?:'?s| us| me) (?:get (?:to|into|started|going)|jump|dive|start|talk|kick|focus|begin)\b|\bget (?:us )?started\b",
    r"\b(?:are )?you ready\b|\bwith that(?: said)?,|\btell us about\b|\bhow(?:'s| are| have) (?:you|it|things)\b",
    r"\bi (?:want|wanted|'d like|would like) to (?:talk|start|tell)\b",
)
# What a house sells, who says so, and how: only the three together give a promotion away.
_PRODUCT = r"(?:(?<!of )courses?|training|workshops?|webinars?|merch|t-?shirts?|bundle)"
_OWN = any_of(
    rf"\b(?:my|our)\b[^.?!]{{0,40}}\b(?:{_PRODUCT}|e-?books?|book)\b",
    rf"\b(?-i:[A-Z]\w+)['’]s (?:\w+ ){{0,4}}{_PRODUCT}\b",
    rf"\b(?:i|we)(?:'ve| have)(?: got| just)? (?:[\w-]+ ){{0,6}}{_PRODUCT}\b",
    rf"\b{_PRODUCT} (?:that )?(?:i|we) (?:have|made|wrote|built|published|recorded)\b",
    rf"(?:\$\d+|\b\d+ (?:bucks|dollars)|\d+(?:%| percent) off)\b[^.?!]{{0,30}}\b{_PRODUCT}\b",
    rf"\b(?:black friday|cyber monday)\b(?:[^.?!]|\.\w){{0,60}}\b{_PRODUCT}\b",
    r"\b(?:i|we)(?:'ve| have)?(?: was| were| am| are|'m|'re)?(?: been)? (?:getting|working on|recording|finishing|editing)\b"
    rf"[^.?!]{{0,60}}\b{_PRODUCT}\b",
    rf"\b(?:shout[- ]?out|remind|encourage|let (?:people|you|everyone|folks) know)\b[^.?!]{{0,80}}\b{_PRODUCT}\b",
    rf"\byou (?:are|can|could)\b[^.?!]{{0,20}}\btak(?:e|ing) (?:an?|one of (?:the|our)) {_PRODUCT} (?:over )?at (?-i:[A-Z])",
)
# Said by a host, these are promotion whatever else the sentence says.
_ANNOUNCES = any_of(
    r"\b(?:i|we)(?:'m|'re| am| are|'ve been| have been)? (?:still |also |continuing to |just )*"
    r"(?:work(?:ing)? on|teamed up|partnered|launch\w*|announc\w+)\b[^.?!]{0,60}\b(?:(?<!of )courses?|e-?book|workshop|webinar)\b",
    r"\b(?:my|our) (?:[\w-]+ ){0,3}courses?\b|\bcourse announcements?\b",
    r"\b(?:i|we) (?:also |both )?have (?:[\w-]+ ){0,8}(?:(?<!of )courses?|workshop|webinar)\b",
)
_SELLS = any_of(
    r"\d+(?:%| percent) off\b|\$\d+|\b\d+ bucks\b|\b(?:for|on) sale\b|\b(?:discount|early access|pre-?order|black friday|cyber monday|for free)\b",
    r"\bcoming (?:out|soon|along|to)\b|\b(?:is|are|it's|officially) (?:finally |now |officially |almost )?(?:out(?! of)|available|live|done)\b",
    r"\b(?:launch|releas)(?:ed|ing)\b|\bsign(?:ing)? up\b|\bcheck (?:it |that |them |those |these )?out\b|\bover at\b",
    r"\b(?:buy|grab|pick up|order)\b|\bencourage (?:people|folks|everyone|you)\b|\bremind (?:people|you|everyone|folks)\b|\bshout[- ]?out\b",
)


def extend_house(sentences: Sequence[Sentence], marks: list[SegmentMark | None]) -> None:
    """Mark what promotes the house's own, and what follows a promotion as far as it carries on inviting.

    At the head of a show a sponsor's announcement is followed by the house's own, too, and what stands between the last invitation and
    the word that hands over to the first topic is no content yet.
    """
    position = 0
    while position < len(sentences):
        head = position < _HEAD_SENTENCES and sentences[position].place <= _HEAD_SHARE
        found = marks[position] or _given_away(sentences, marks, position, head=head)
        last = position
        opens = found and (found.kind == "promo" or (head and found.kind == "sponsor"))
        if found and opens and not _ends_a_read(marks, position, head=head):
            last = _last_of_block(sentences, marks, position, _LONG_GAP if head or found.rule in _FIRM else _GAP, head=head)
            for number in range(position + 1, last + 1):
                marks[number] = marks[number] or SegmentMark("promo", 0.7, f"{found.rule.removesuffix(_GOES_ON)}{_GOES_ON}")
        position = last + 1


def _given_away(
    sentences: Sequence[Sentence], marks: list[SegmentMark | None], position: int, *, head: bool
) -> SegmentMark | None:
    """A promotion that no single word gives away: an own product that is sold, or invitations one after the other at the head."""
    text = sentences[position].text
    if (_OWN.search(text) and _SELLS.search(text)) or _ANNOUNCES.search(text):
        marks[position] = SegmentMark("promo", 0.75, _OWN_PRODUCT)
        _reach_back(sentences, marks, position)
    elif head and not any(_HANDS_OVER.search(sentence.text) for sentence in sentences[:position]):
        near = [sentence.text for sentence in sentences[position : position + _ROW]]
        if _INVITES.search(near[0]) and sum(_INVITES.search(text) is not None for text in near) >= _INVITATIONS:
            marks[position] = SegmentMark("promo", 0.7, "invitations in a row")
    return marks[position]


def _ends_a_read(marks: Sequence[SegmentMark | None], position: int, *, head: bool) -> bool:
    """ "It really supports the show" is how a sponsor's read ends, and content follows."""
    before = marks[position - 1] if position else None
    return not head and before is not None and before.kind == "sponsor"


def _last_of_block(sentences: Sequence[Sentence], marks: Sequence[SegmentMark | None], seed: int, gap: int, *, head: bool) -> int:
    last = seed
    for position in range(seed + 1, min(len(sentences), seed + 1 + _LONGEST)):
        sentence, found = sentences[position], marks[position]
        if sentence.speaker != sentences[seed].speaker or BACK.search(sentence.text) or _HANDS_OVER.search(sentence.text):
            near = head and position - last <= _CHATTER and sentence.speaker == sentences[seed].speaker
            return position - 1 if near else last
        if (found and found.kind in ("promo", "sponsor")) or invites(sentence):
            last = position
        elif position - last >= gap:
            break
    return last


def _reach_back(sentences: Sequence[Sentence], marks: list[SegmentMark | None], seed: int) -> None:
    """Over the sentences just before that already speak of it."""
    first = seed
    for position in range(seed - 1, max(-1, seed - 1 - _LONGEST_LEAD), -1):
        if marks[position] or sentences[position].speaker != sentences[seed].speaker or first - position > _GAP:
            break
        if invites(sentences[position]):
            first = position
    marks[first:seed] = [SegmentMark("promo", 0.65, f"{_OWN_PRODUCT}{_GOES_ON}")] * (seed - first)


def invites(sentence: Sentence) -> bool:
    """Whether a sentence may belong to a promotion that has begun. By itself it proves nothing."""
    text = sentence.text
    return (
        sentence.repeated
        or _INVITES.search(text) is not None
        or (_HOUSE.search(text) is not None and _OFFERS.search(text) is not None)
    )


def extend_turn(sentences: Sequence[Sentence], marks: list[SegmentMark | None], number: int, rule: Rule, *, most: int) -> None:
    """Over the turn's next `most` sentences, which a host who has announced the house's own does not leave for content."""
    for position in range(number + 1, min(number + 1 + most, len(sentences))):
        sentence = sentences[position]
        if sentence.speaker is None or sentence.speaker != sentences[number].speaker or BACK.search(sentence.text):
            return
        if marks[position] is None:
            marks[position] = SegmentMark("promo", round(rule.score - 0.1, 2), f"{rule.name}{_GOES_ON}")
