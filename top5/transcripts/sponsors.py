"""What in a transcript is not content: sponsor reads, the house's own promotion, greetings, goodbyes, music, words of other episodes.

Belongs here: the rules and how far a read goes. Does not belong here: what happens to marked segments (the insights' business).

The rules are conservative: a read is told by words that address the listener of *this show* ("this episode is brought to you by",
"use code SIGNAL"), never by its subject, so that talk about sponsorship, discounts or newsletters stays content. A read then extends
over its neighbours only as far as they carry on selling: the sponsor's name, an offer, an address. English only for now.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from top5.transcripts.model import Segment
from top5.transcripts.words import ends_sentence

MarkKind = Literal["sponsor", "promo", "greeting", "outro", "music", "repeat"]

_MAX_READ = 16  # sentences on each side of what gave a read away
_LOOK_AHEAD = 3  # sentences without a sign of selling that may stand inside a read
_LONGEST_READ = 48  # sentences up to the call with which a long read ends: four minutes
_LONGEST_BETWEEN = 80  # sentences between "let me tell you about our sponsor" and "thank you for sponsoring the show"
_LONGEST_STORY = 20  # of them without the sponsor's name or a sign of selling, because a good read tells a story
_MAX_ITEM = 8  # paragraphs of a sponsored item in a written script
_EDGE_SECONDS = 150.0
_EDGE_SENTENCES = 14
_EDGE_SHARE = 0.12


@dataclass(frozen=True)
class SegmentMark:
    """Why a segment is not content. `score` is 0 to 1, how sure the rule is times the share of the segment's words it covers."""

    kind: MarkKind
    score: float
    rule: str


@dataclass(frozen=True)
class _Rule:
    name: str
    kind: MarkKind
    score: float
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class _Sentence:
    """Tokens `begin` to `end` of the running text; `place` is how far into the episode, 0 to 1."""

    begin: int
    end: int
    text: str
    speaker: str | None
    start: float | None
    place: float


def _rule(name: str, kind: MarkKind, score: float, pattern: str) -> _Rule:
    return _Rule(name, kind, score, re.compile(pattern, re.I))


_SHOW = (
    r"(?:this|today'?s|our|the|this week'?s|tonight'?s) (?:\w+ ){0,2}?"
    r"(?:episode|show|podcast|program|edition|portion|part|segment|hour|series)"
)
_TLD = r"(?:com|io|ai|dev|fm|net|org|co|app|tv|me|us|uk|de|tech|cloud|sh|so|example)"
_ADDRESS = rf"(?:[\w-]+(?:\.[\w-]+)*\.{_TLD}\b|[\w-]+ dot {_TLD}\b)(?:(?:/| slash | forward slash )[\w-]+)?"

_READS = (
    _rule(
        "brought to you by us",
        "promo",
        0.9,
        rf"\b{_SHOW}[^.?!]{{0,20}} (?:brought to you|sponsored|supported|presented) by (?:us|ourselves|our (?:\w+ ){{0,2}}"
        r"(?:courses?|books?|training|members|patrons|listeners|supporters|work))\b|\bbrought to you by us\b",
    ),
    _rule(
        "brought to you by",
        "sponsor",
        0.95,
        rf"\b{_SHOW}(?: of [\w' ]{{1,40}})?,? (?:is|was|has been|comes|are)?\s*(?:also |once again |proudly |kindly |made possible |being )*"
        r"(?:brought to you|sponsored|supported|presented|powered|possible|to you) (?:\w+ ){0,2}?by\b",
    ),
    _rule(
        "brought to you by",
        "sponsor",
        0.9,
        r"^(?:and |also |today |it's |it is )*(?:brought|sponsored) to you (?:\w+ ){0,2}?by\b",
    ),
    _rule(
        "our sponsor",
        "sponsor",
        0.9,
        r"\b(?:word|message|break|thanks|thank you|hear|shout[- ]?out|pause|time)\b[^.?!]{0,25}\b(?:from|to|for|thank) "
        r"(?:our|this (?:week|episode)'?s|today'?s|the show'?s) (?:\w+ ){0,3}?sponsors?\b",
    ),
    _rule(
        "thanks for sponsoring",
        "sponsor",
        0.9,
        rf"\bthank(?:s|ing| you)\b[^.?!]{{0,60}}\bfor (?:sponsoring|supporting) {_SHOW}\b",
    ),
    _rule(
        "thanks for sponsoring",
        "sponsor",
        0.85,
        r"^(?:(?:and|so|again|all right|once again)\b,? )*(?:a big )?thank(?:s| you)(?: so much| again)?,? (?:to )?(?-i:[A-Z])[^.?!]{0,50}"
        r"\bfor (?:sponsoring|supporting) (?-i:[A-Z])",
    ),
    _rule("thanks for sponsoring", "sponsor", 0.9, rf"\b(?:is|are) (?:sponsoring|supporting) {_SHOW}\b"),
    _rule(
        "about our sponsor",
        "sponsor",
        0.85,
        r"\b(?:tell|talk|hear|say|talking)\b[^.?!]{0,30}\babout (?:our|today's|this week's|the) (?:\w+ )?sponsors?\b|"
        r"\b(?:shall|should|can|could|let) (?:we|us|me) (?:quickly |just )?(?:thank|talk about) (?:our|the) (?:\w+ )?sponsors?\b|"
        r"\blet's (?:quickly |just )?(?:thank|talk about) (?:our|the) (?:\w+ )?sponsors?\b|"
        r"^(?:and |so |yes,? )?(?:our|today's|this week's) sponsors?(?:\W*$| (?:this week|today|for today)\b|, (?-i:[A-Z]))|"
        r"\bwe (?:do )?have a (?:new )?sponsor (?:today|this week)\b",
    ),
    _rule(
        "more about them later",
        "sponsor",
        0.8,
        r"\b(?:tell you|hear|talk|say|listen)(?: to you)?(?: all| a (?:little )?bit)? (?:more )?(?:about them|to their spot) later\b|"
        r"\bthem (?:more )?later in the show\b",
    ),
    _rule(
        "about our sponsor",
        "sponsor",
        0.85,
        r"^(?:and )?(?:they|these folks|these guys)(?:'re| are| have been)? (?:a )?(?:big|huge|great|long-?time|wonderful) "
        r"(?:supporters?|sponsors?) of (?:the show|this show|us|ours|(?-i:[A-Z]))",
    ),
    _rule(
        "next sponsor",
        "sponsor",
        0.9,
        r"^(?:and |now )?(?:(?:one|our|the) (?:last|next|second|third|final|other|more) sponsors?\b|"
        r"(?:let'?s|let us|we should) (?:do|have|thank|hear (?:about|from)) (?:our|the|a) sponsors?\b)",
    ),
    _rule("support comes from", "sponsor", 0.9, rf"\bsupport (?:for|of) {_SHOW} comes from\b"),
    _rule(
        "sponsored news",
        "sponsor",
        0.85,
        r"\btime (?:now )?(?:once again )?for (?:some |a little )?sponsored (?:news|content|segment)\b",
    ),
    _rule(
        "promo code",
        "sponsor",
        0.95,
        r"\b(?:use|using|enter|with|apply|mention|just)\b[^.?!]{0,30}\b(?:promo|coupon|discount|offer|referral|"
        r"listener) code[,:]? "
        r"(?!(?:in|is|are|as|at|for|from|on|that|which|system|and|or|to|of|when|was|if|the|a)\b)\W*\w+",
    ),
    _rule(
        "promo code",
        "sponsor",
        0.9,
        r"\b(?:use|enter|with|apply) (?:the |our |my )?code \W*\w+\W* (?:at checkout|for \d+|to (?:get|save))",
    ),
    _rule("promo code", "sponsor", 0.9, r"\b(?:use|enter|with|apply) (?:the |our |my )?code (?-i:[\"'“]?[A-Z][A-Z0-9]{2,}\b)"),
    _rule("tell them we sent you", "sponsor", 0.85, r"\b(?:tell|let) them (?:know )?(?:that )?(?:we|i|us) sent you\b"),
    _rule(
        "slash",
        "sponsor",
        0.75,
        rf"\b(?:go|head|visit|check|over|start|learn more|sign up|at)\b[^.?!]{{0,40}}\b[\w-]+(?: dot |\.){_TLD} ?(?:forward )?slash \w+",
    ),
    _rule(
        "rate us",
        "promo",
        0.9,
        r"\b(?:leave|give|write|drop) (?:us|me|the show|this show) an? (?:\w+[- ]){0,3}?(?:review|rating)\b|"
        r"\brate (?:and review )?"
        r"(?:us|the show|this (?:show|podcast))\b|\b(?:5|five)[- ]star review (?:on|if|in)\b",
    ),
    _rule(
        "subscribe",
        "promo",
        0.85,
        r"\b(?:like|rate|follow|share)(?:,| and|, and) (?:and )?subscribe\b|\bsubscribe to (?:us|our|"
        r"the (?:show|podcast|channel|feed|newsletter)|"
        r"this (?:show|podcast|channel))\b|\b(?:please|don't forget to|make sure (?:to|you)|be sure to|go and|"
        r"hit|smash) (?:\w+ ){0,2}?subscribe\b|"
        r"\bsubscribe (?:wherever|in your (?:favou?rite )?podcast|on (?:apple|spotify|youtube))",
    ),
    _rule(
        "newsletter",
        "promo",
        0.85,
        r"\b(?:sign up (?:for|to)|subscribe to|join|get (?:in )?on|check out) (?:our|my|the (?:show|"
        r"companion)(?:'s)?) (?:\w+ ){0,3}?"
        r"(?:newsletter|mailing list)\b|\bwe(?:'ve| have)(?: got)? a (?:\w+ )?newsletter\b|\bget in on the newsletter\b",
    ),
    _rule(
        "join us",
        "promo",
        0.8,
        r"\b(?:join (?:us|our community) (?:on|in|at|over)|find us (?:on|at)|follow us (?:on|at)|"
        r"become a (?:member|patron|supporter) (?:at|of (?:the show|this)|today|on)|"
        r"support (?:us|the show|this (?:show|podcast)) (?:on|at|by)|join our (?:discord|slack|community|patreon))\b",
    ),
    _rule(
        "talk to us",
        "promo",
        0.8,
        r"\b(?:connect with|reach|get in touch with|stay in touch with|get (?:a )?hold of|contact|follow|find|email) (?:any of )?us\b"
        r"(?! (?:to|what|as|how|why|when|out|in (?:a|the)|from)\b)[^.?!]{0,60}\b(?:on|at|over|here|show|socials?|via|through|mastodon|"
        r"bluesky|twitter|form|mail|youtube)\b|\bsend us (?:\w+ ){0,3}(?:ideas|feedback|messages?|e?mails?|questions|comments)\b",
    ),
    _rule(
        "join us live",
        "promo",
        0.8,
        r"\bpart of the (?:live |youtube )+(?:show|stream|audience|recording|video)\b|\bjoin (?:us|the (?:audience|stream|show)) live\b|"
        r"\bjoin (?:us |in )?(?:on|for) (?:the|our) live\b|\bpeople (?:to )?join the live\b|\binformation to join us\b",
    ),
    _rule(
        "thanks to patrons",
        "promo",
        0.85,
        r"\bthank(?:s| you)\b[^.?!]{0,40}\b(?:patreon|patrons?|(?:our|the) (?:supporters|members|backers))\b|"
        r"\bwe (?:also )?have patreon\b|\bfriends? of the show\b[^.?!]{0,40}\b(?:e?mail|newsletter|list)\b",
    ),
    _rule(
        "supports the show",
        "promo",
        0.85,
        r"\b(?:really )?(?:helps?|supports?|supporting) (?:(?:to )?support )?(?:the|this|our) (?:show|podcast|work)\b|"
        r"\b(?:you|anyone) (?:want|like|can) (?:to )?support us\b|\bbest way to support (?:the|this|us)\b|"
        r"\b(?:check out|take|buy|try|grab|encourage)\b[^.?!]{0,40}\bour (?:\w+ ){0,2}(?:courses?|books?|merch|store|training|apps?)\b",
    ),
    _rule(
        "word from the house",
        "promo",
        0.9,
        r"\b(?:word|note|message|one|plug|announcement) (?:about us|(?:from|about) (?:the house|this network|"
        r"our network|our sister)|"
        r"for our (?:friends|sister))\b|\bhouse (?:news|business|promo|keeping|announcement)\b|^from this network\b|"
        r"\bour (?:friends (?:at|over at)|sister (?:show|podcast))\b[^.?!]{0,60}\b(?:back|new|season|episode|"
        r"live|podcast|show|evening)\b",
    ),
    _rule(
        "members",
        "promo",
        0.8,
        r"\b(?:our |the )?members'? (?:get|feed|have|of the)\b|\bmembership program|\bour (?:newest|new) members\b|"
        r"\bditch the ads\b|\b(?:membership|supporter|\w+\+\+) shout[- ]?outs?\b|\bsupport(?:ing)? our work\b",
    ),
    _rule(
        "live show",
        "promo",
        0.8,
        r"\bour (?:\w+ ){0,2}?live (?:show|evening|event|recording)\b|\blive on stage\b|"
        r"\b(?:doing|have|got) a live (?:show|evening|event)\b|\b(?:bought|get|got) your tickets?\b|\bfree for \S+ members\b",
    ),
    _rule(
        "newsletter for more",
        "promo",
        0.85,
        r"\b(?:scan|check|read|see|and|also) (?:\w+ )?(?:the|our) (?:companion )?newsletter for (?:all|even|more|the)\b|"
        r"\b(?:subscribe|sign up) to the (?:\w+ ){0,3}newsletter\b|^sign up (?:today|now) at\b|\blinks worth clicking\b",
    ),
    _rule(
        "other episodes",
        "promo",
        0.8,
        r"\b(?:scroll back|find (?:those|them|it|that)) in your feed\b|^coming up (?:this|next) week\b|"
        r"\b(?:awesome|great|good|some) (?:episodes?|pods?) coming up\b",
    ),
    _rule(
        "tell a friend",
        "promo",
        0.8,
        r"\b(?:tell|forward this to|share (?:this|it|the show) with) a (?:friend|colleague)\b|"
        r"\bwherever you get your podcasts\b",
    ),
)
_GREETINGS = (
    _rule(
        "welcome",
        "greeting",
        0.85,
        r"^\W*(?:\w+[,!]? ){0,6}?welcome (?:back )?(?:to|everyone|everybody|in)\b|"
        r"\bwelcome (?:back )?to (?:the show|(?-i:[A-Z]))",
    ),
    _rule("welcome", "greeting", 0.8, r"(?:^|\. |, )(?:so )?welcome\W*$"),
    _rule(
        "what this show is",
        "greeting",
        0.8,
        r"^(?:in (?:these|this) episodes?,|this is where|we'll (?:take some time|discuss) .{0,60}\bnews\b)|"
        r"\band this is (?-i:[A-Z]\w+)(?: (?-i:[A-Z]\w+)){0,4} for the week\b|"
        r"^(?:\w+ \w+, )?this is (?-i:[A-Z]\w+(?: [A-Z]\w+){0,3})[,.]",
    ),
    _rule(
        "introduces",
        "greeting",
        0.8,
        r"^(?:and |so |well,? |yes,? )*(?:i'm|i am|he is|she is|he's|she's) .{0,30}\b(?:ceo|founder|co-?founder|"
        r"engineer|scientist|strategist|host|"
        r"director|responder)\b|\bjoined (?:today |as always |once again |again )*by\b|"
        r"^(?:we have with us|with us today|today,? we'?re joined|our guest is|my guest is|one guest)\b|"
        r"\bwe have (?-i:[A-Z]\w+ [A-Z]\w+) with us\b|"
        r"\bi'm with (?-i:[A-Z]\w+ [A-Z]\w+)\.",
    ),
    _rule(
        "hello",
        "greeting",
        0.8,
        r"^(?:hello|hi|hey|good (?:morning|evening|afternoon)|what'?s up|what up|"
        r"happy \w+day)\b.{0,60}$|, (?:hello|good (?:morning|evening))\W*$",
    ),
    _rule(
        "thanks for having me",
        "greeting",
        0.85,
        r"\bthank(?:s| you)\b.{0,30}\bfor (?:having|inviting) (?:me|us)\b|"
        r"\bappreciate (?:you|y'all)(?: guys)? having (?:me|us)\b",
    ),
    _rule(
        "good to be here",
        "greeting",
        0.8,
        r"^.{0,25}\b(?:great|good|happy|glad|excited|honou?r(?:ed)?|pleasure|lovely|nice) to be (?:here|back|"
        r"with you)\b.{0,40}$",
    ),
    _rule(
        "how are you",
        "greeting",
        0.8,
        r"^.{0,30}\bhow (?:are you|'?re you|have you been|is it going|was (?:the|your) (?:trip|weekend|"
        r"week))\b.{0,30}$|^.{0,30}\bhow(?:'s| is) it going\b.{0,20}$|"
        r"^(?:i'm |i am |it's )?(?:doing|going) (?:really |very |pretty )?(?:great|good|well|fine|"
        r"okay)\b.{0,25}$|^great today\b.{0,20}$|"
        r"^.{0,15}\bhow're you (?:doing|today)\b.{0,20}$",
    ),
    _rule(
        "big fan", "greeting", 0.7, r"^.{0,20}\b(?:big|huge|long-?time) (?:fan|listener)\b.{0,20}$|\bi've listened (?:to|for)\b"
    ),
    _rule(
        "who is here",
        "greeting",
        0.8,
        r"^(?:(?:and|so|hey|i'm|my name is|this is)\b.{0,40})?"
        r"\b(?:i'm your host|i am your host|joined (?:today|as always|by my)|with me (?:today|as always) is|"
        r"my guests? today)\b",
    ),
    _rule(
        "who is here",
        "greeting",
        0.8,
        r"^(?:and |so )?(?:i'm|i am|my name is|this is) (?-i:[A-Z]\w+ (?:[A-Z]\. )?[A-Z]\w+)",
    ),
    _rule("this is episode", "greeting", 0.8, r"\bthis is (?:episode|show) (?:number )?\d+"),
)
_OUTROS = (
    _rule(
        "that was",
        "outro",
        0.8,
        r"^(?:and )?(?:this|that) was (?-i:[A-Z])|^that(?:'s| is) (?:it|our show|the show|the hour|"
        r"all)\b.{0,40}$|^on that note\b.{0,20}$",
    ),
    _rule(
        "thanks for listening",
        "outro",
        0.9,
        r"\bthank(?:s| you)\b.{0,40}\bfor (?:listening|tuning in|watching|joining|coming on|being (?:here|on|"
        r"with)|having (?:me|us))\b",
    ),
    _rule(
        "see you",
        "outro",
        0.9,
        r"\b(?:see|talk to|catch|speak to) "
        r"(?:you|y'all|ya|everyone)(?: all| guys)? (?:again |real )*(?:next|soon|later|tomorrow|in the next|on the next)\b|"
        r"\buntil next (?:time|week)\b",
    ),
    _rule(
        "that's all",
        "outro",
        0.85,
        r"\bthat'?s (?:all|it|a wrap|the (?:news|show))\b.{0,20}\b(?:for (?:today|now|this (?:week|episode))|"
        r"folks)\b|\bthat's our show\b",
    ),
    _rule(
        "bye",
        "outro",
        0.85,
        r"^(?:(?:ok(?:ay)?|all right|alright|and|there you go)\W+)*(?:good)?bye(?:[- ]bye)?\b.{0,25}$|"
        r"^see (?:ya|you)\W*$|^take care\b.{0,15}$|"
        r"\bhave a (?:great|good|nice|lovely|wonderful) (?:week|day|weekend|one|evening)\b",
    ),
    _rule(
        "thanks",
        "outro",
        0.8,
        r"^(?:(?:yeah|well|cool|awesome|alright|all right|okay|and|but|so|oh|man|absolutely|again|yes|no|absolutely)[,.!]* )*"
        r"(?:(?-i:[A-Z]\w+)(?: (?-i:[A-Z]\w+))?,? )?(?:(?-i:[A-Z]\w+(?: [A-Z]\w+)?), )?(?:thank you|thanks|"
        r"likewise|i (?:really |truly )?appreciate)\b.{0,220}$|"
        r"\bthank (?:you|y'all) (?:so|very) much\b|\bthank(?:s| you),? (?-i:[A-Z]\w+)\W*$|\bi (?:really |truly |"
        r"always )*appreciate (?:it|you|that|your|talking|the conversation)\b|"
        r"\bthank(?:s| you)\W*$|\bthank you both\b|\bthank you for (?:taking|being|what|all|your|the|sharing)\b",
    ),
    _rule(
        "pleasure",
        "outro",
        0.8,
        r"\b(?:it's been|it was|it is|it's|been) (?:an? )?(?:\w+ ){0,3}(?:pleasure|fun|honou?r|great talking|"
        r"great chat|good chat)\b|\balways a pleasure\b|"
        r"\b(?:wonderful|great|good|nice) to (?:talk|chat|meet|have you)\b|\bwonderful to have you on\b|"
        r"\bi've enjoyed (?:chatting|talking|this)\b|"
        r"\benjoyed (?:this|the|our) conversation\b|\bgreat (?:questions|talking)\b|\bi(?:'ll|"
        r" will) let you (?:go|get back)\b|\bthat's all i had\b",
    ),
    _rule(
        "until then",
        "outro",
        0.8,
        r"\b(?:hope|look(?:ing)? forward) to (?:talk|talking|following|having you|seeing|chat|be back)\b|"
        r"\bkeep up the (?:good|great) work\b|"
        r"\b(?:good luck to you|wish you (?:all )?the best|stay in touch|keep us in the loop|"
        r"don't be a stranger|let's keep talking|keep (?:it going|flying))\b|"
        r"\bwe(?:'re| are| will be|'ll be) back (?:on|next|with)\b|\bnext time there'll be\b|"
        r"\bkeep up what you are doing\b|\bgood night\b|^go well\W*$",
    ),
    _rule(
        "credits",
        "outro",
        0.85,
        r"\b(?:this (?:show|episode|podcast) (?:is|was) (?:produced|edited|hosted) by|"
        r"(?:our )?(?:theme )?music (?:is |was )?by|our producers? (?:is|are))\b",
    ),
)
_MUSIC = re.compile(
    r"^\W*(?:(?:intro|outro|theme|upbeat|soft|dramatic|gentle|ambient|closing|opening|break|jingle)\W+){0,3}"
    r"(?:music|jingle|applause|♪+|♫+|outro|intro|theme song|break)"
    r"(?:\W+(?:music|playing|plays|fades?(?: in| out)?|continues|swells|break|ends|stops)){0,3}\W*"
    r"(?:\[?\\?\[?\d[\d:.\\\]\[\s–-]*)?\W*$|^[♪♫\s]+.*[♪♫\s]+$",
    re.I,
)
# How many sentences more a promise of the house takes, by rule.
_CARRIES_ON = {"word from the house": 6, "live show": 4, "other episodes": 2, "newsletter for more": 1}
_LIST_ITEM = re.compile(r"^[-*•]\s")
_OPENS_OR_CLOSES = frozenset({"about our sponsor", "brought to you by", "our sponsor", "next sponsor", "thanks for sponsoring"})
# What a host asks for at the end of a read, so that the sponsor sees whom it paid.
_CLOSES = re.compile(
    r"\b(?:you|they|people) (?:came|come|heard(?: about (?:it|them))?) from us\b|\bstop (?:supporting|sponsoring) (?:the|this|our|us)\b|"
    r"\bus(?:e|ing) (?:our|that|this) (?:link|url|code)\b|\b(?:supports|helps(?: to)?(?: support)?) (?:the|this|our) (?:show|podcast)\b",
    re.I,
)
_HOUSE_GOES_ON = frozenset({"talk to us", "join us live", "join us", "newsletter", "thanks to patrons"})
_HOUSE = re.compile(
    r"\b(?:mastodon|fosstodon|bluesky|twitter|linkedin|instagram|facebook|youtube|discord|slack|show notes|e-?mail|newsletter|mailing list|"
    r"contact form|sign up|invite|notif(?:y|ied)|live (?:stream|show|recording|audience)|usually (?:record|on|at)|"
    r"we (?:typically|usually|always)? ?(?:record|stream|love|would love|send)|hang(?:ing)? out|(?:our|the) (?:site|website|page)|subscribe)\b|@\w+",
    re.I,
)
# Announcements after which a read may begin at once, later, or not at all.
_SAYS_LITTLE = frozenset({"about our sponsor", "brought to you by us"})
# Signs that a read goes on; none starts one.
_SELLING = re.compile(
    rf"{_ADDRESS}|\b(?:free trial|(?:first|one|two|three) (?:\w+ )?(?:week|month|year|order|box)s?(?: is| are)? free|"
    rf"free (?:month|week|shipping|account|tier|plan)|"
    rf"\d+(?:%| percent) off|(?:made )?that code|off your (?:first|next)|money[- ]back|no credit card|sign up|get started|"
    rf"learn more|check (?:it|them) out|"
    rf"our (?:listeners|friends at)|for our listeners|listeners of this|link (?:is )?in the (?:show notes|newsletter|description)|"
    rf"visit|sponsor(?:s|ing|ed|ship)?|show notes|us(?:e|ing) (?:our|the|this|that) link|for supporting|create (?:your|an?|a free) account|"
    rf"(?:promo|coupon|discount) code|at checkout|their customers|trusted by|try it (?:today|for free|free)|get \$?\d+|start building|demo today)\b",
    re.I,
)
# How a read of an unknown sponsor ends.
_CALL = re.compile(rf"{_ADDRESS}|\blearn more\b", re.I)
_LEAD_IN = re.compile(
    r"\b(?:before we (?:get|go|start|begin|continue|dive|move)|quick (?:break|word|pause)|short break|"
    r"pay the bills|let'?s (?:take a|pause|thank)|"
    r"we'?ll be right back|a moment to|real quick)\b",
    re.I,
)
_BACK = re.compile(
    r"^(?:(?:ok(?:ay)?|all right|alright|right|so|and|now|anyway|well),? )*"
    r"(?:back to|let(?:'?s| us) (?:get (?:back|to|into)|dive|talk|move)|we'?re back|welcome back|that'?s the news)\b",
    re.I,
)
_PROPER = re.compile(
    r"(?:\babout|\bby|\bfrom|\bat|\bthank|\bthanks to|\bto|\bsponsor,?) ((?:[A-Z][\w'’.-]*[\w](?: [A-Z][\w'’-]*)?))"
)
_SUBJECT = re.compile(
    r"(?:The )?([A-Z][\w'’-]+)(?: [A-Z][\w'’-]+){0,2} (?:is|are|makes?|helps?|lets?|gives?|offers?|builds?|takes?|says?|just)\b"
)
_COMMON = frozenset(
    [
        "i",
        "you",
        "the",
        "this",
        "that",
        "we",
        "our",
        "and",
        "so",
        "it",
        "but",
        "go",
        "if",
        "today",
        "now",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ]
)


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
    _mark_reads(sentences, marks)
    _mark_between(sentences, marks)
    _mark_house(sentences, marks)
    found = _per_segment(segments, sentences, marks, owner)
    _mark_sponsored_items(segments, found)
    for number, segment in enumerate(segments):
        if _MUSIC.match(segment.text):
            found[number] = SegmentMark("music", 0.9, "music")
        elif segment.repeated and found[number] is None:
            found[number] = SegmentMark("repeat", 0.85, "stands in other episodes")
        elif _LIST_ITEM.match(segment.text) and number and (before := found[number - 1]) and before.kind in ("promo", "outro"):
            # "For the full scoop, such as:" and what it promises.
            found[number] = SegmentMark("promo", round(before.score - 0.1, 2), f"{before.rule} (goes on)")
    return found


def _mark_sponsored_items(segments: Sequence[Segment], found: list[SegmentMark | None]) -> None:
    """A written script's sponsored item: after "time for sponsored news" everything up to the headline after its own."""
    rule = next(rule for rule in _READS if rule.name == "sponsored news")
    for number, segment in enumerate(segments):
        if segment.start is not None or not rule.pattern.search(segment.text):
            continue
        headlines = 0
        for position in range(number + 1, min(number + 1 + _MAX_ITEM, len(segments))):
            text = segments[position].text
            headlines += len(text.split()) <= 10 and text[-1:] not in ".!?:…" and not _LIST_ITEM.match(text)
            if headlines > 1 or segments[position].speaker != segment.speaker or _BACK.search(text):
                break
            if found[position] is None and headlines:
                found[position] = SegmentMark("sponsor", round(rule.score - 0.1, 2), f"{rule.name} (goes on)")
            if headlines and _CALL.search(text):
                break


def _sentences(segments: Sequence[Segment], tokens: Sequence[str], owner: Sequence[int], total: float | None) -> list[_Sentence]:
    sentences: list[_Sentence] = []
    begin = 0
    for position, token in enumerate(tokens):
        last = position + 1 == len(tokens)
        following = None if last else tokens[position + 1]
        turn_ends = not last and segments[owner[position]].speaker != segments[owner[position + 1]].speaker
        # Paragraphs and turns without times are no cues: their end is the end of a sentence.
        block_ends = not last and owner[position] != owner[position + 1] and segments[owner[position]].start is None
        if not (last or turn_ends or block_ends or ends_sentence(token, following)):
            continue
        segment = segments[owner[begin]]
        place = segment.start / total if total and segment.start is not None else begin / max(1, len(tokens))
        sentences.append(
            _Sentence(
                begin, position + 1, " ".join(tokens[begin : position + 1]), segment.speaker, segment.start, min(1.0, place)
            )
        )
        begin = position + 1
    return sentences


def _mark_edges(sentences: Sequence[_Sentence], marks: list[SegmentMark | None]) -> None:
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
            *(_OUTROS if closing and sentence.place > 0.5 else ()),
            *(_GREETINGS if opening and sentence.place < 0.5 else ()),
        )
        rule = next((rule for rule in rules if rule.pattern.search(sentence.text)), None)
        if rule:
            marks[number] = SegmentMark(rule.kind, rule.score, rule.name)


def _mark_reads(sentences: Sequence[_Sentence], marks: list[SegmentMark | None]) -> None:
    for number, sentence in enumerate(sentences):
        rule = next((rule for rule in _READS if rule.pattern.search(sentence.text)), None)
        if rule is None:
            continue
        present = marks[number]
        # "Rate us" among goodbyes is one of them.
        if present is None or (present.score <= rule.score and (present.kind != "outro" or "newsletter" in rule.name)):
            marks[number] = SegmentMark(rule.kind, rule.score, rule.name)
        if rule.name == "more about them later":
            continue
        if rule.kind == "sponsor" or rule.name == "brought to you by us":
            _extend(sentences, marks, number, rule)
        elif rule.name in _CARRIES_ON:
            _extend_turn(sentences, marks, number, rule, most=_CARRIES_ON[rule.name])


def _extend(sentences: Sequence[_Sentence], marks: list[SegmentMark | None], number: int, rule: _Rule) -> None:
    """Over the neighbours of the same speaker, up to the last one that still sells."""
    names = _names(sentences[number].text) or _subject(sentences, number)
    # An announcement that names nobody ("time for sponsored news") is followed by a read of unknown subject.
    ahead = _LOOK_AHEAD if names or rule.name in _SAYS_LITTLE else 4 * _LOOK_AHEAD
    for step in (1, -1):
        last = position = number
        while 0 <= position + step < len(sentences) and abs(position + step - number) <= _MAX_READ:
            position += step
            sentence = sentences[position]
            if sentence.speaker != sentences[number].speaker or _BACK.search(sentence.text):
                break
            named = _is_named(names, sentence.text)
            lead_in = position == number - 1 and _LEAD_IN.search(sentence.text)
            # Backwards only what belongs to this read by name: an address there may end the content before it.
            if named or (_SELLING.search(sentence.text) if step > 0 else lead_in):
                last = position
                if not names and _CALL.search(sentence.text):
                    break
            elif abs(position - last) >= (ahead if step > 0 else 2):
                break
        if step > 0 and names:
            last = _call_of(sentences, number, last, names)
        for extended in range(number + step, last + step, step):
            if marks[extended] is None:
                marks[extended] = SegmentMark(rule.kind, round(rule.score - 0.1, 2), f"{rule.name} (goes on)")


def _mark_between(sentences: Sequence[_Sentence], marks: list[SegmentMark | None]) -> None:
    """Reads that begin by naming their sponsor and end by thanking it: everything between is the read, whatever it says."""
    opening: int | None = None
    for number, sentence in enumerate(sentences):
        found = marks[number]
        opens_or_closes = found is not None and found.rule in _OPENS_OR_CLOSES
        # Announced at the head of the show, a sponsor's read comes later: there only thanks end what was begun.
        asks = opening is not None and opening >= 2 * _EDGE_SENTENCES and _CLOSES.search(sentence.text) is not None
        thanks = found is not None and found.rule == "thanks for sponsoring"
        if opening is not None and (thanks or asks) and 1 < number - opening <= _LONGEST_BETWEEN:
            between = sentences[opening + 1 : number]
            names = _names(sentences[opening].text)
            thanked = _names(sentence.text) if thanks else set[str]()
            one_voice = all(other.speaker == sentence.speaker for other in between)
            if one_voice and not (names and thanked and not names & thanked):
                for position in range(opening + 1, number + 1):
                    marks[position] = marks[position] or SegmentMark("sponsor", 0.8, "between announcement and thanks")
                opening = number
        if opens_or_closes:
            opening = number


def _mark_house(sentences: Sequence[_Sentence], marks: list[SegmentMark | None]) -> None:
    """Sentences after "follow us" or "join us live" that go on about the house, at the edges of an episode."""
    for number in range(1, len(sentences)):
        before, sentence = marks[number - 1], sentences[number]
        if marks[number] is not None or before is None or before.kind != "promo" or before.rule not in _HOUSE_GOES_ON:
            continue
        if not (number <= 3 * _EDGE_SENTENCES or sentence.place >= 1 - _EDGE_SHARE):
            continue
        if sentence.speaker == sentences[number - 1].speaker and _HOUSE.search(sentence.text) and not _BACK.search(sentence.text):
            marks[number] = SegmentMark("promo", 0.7, before.rule)


def _call_of(sentences: Sequence[_Sentence], number: int, last: int, names: set[str]) -> int:
    """Where a long read ends: the last sentence of the turn that both names the sponsor and sells; `last` where there is none."""
    found = last
    for position in range(last + 1, min(len(sentences), number + 1 + _LONGEST_READ)):
        sentence = sentences[position]
        if sentence.speaker != sentences[number].speaker or _BACK.search(sentence.text) or position - found > _LONGEST_STORY:
            break
        if _SELLING.search(sentence.text) and _is_named(names, sentence.text):
            found = position
    return found


def _is_named(names: set[str], text: str) -> bool:
    return any(re.search(rf"\b{re.escape(name)}\b", text, re.I) for name in names)


def _extend_turn(sentences: Sequence[_Sentence], marks: list[SegmentMark | None], number: int, rule: _Rule, *, most: int) -> None:
    """Over the turn's next `most` sentences, which a host who has announced the house's own does not leave for content."""
    for position in range(number + 1, min(number + 1 + most, len(sentences))):
        sentence = sentences[position]
        if sentence.speaker is None or sentence.speaker != sentences[number].speaker or _BACK.search(sentence.text):
            return
        if marks[position] is None:
            marks[position] = SegmentMark("promo", round(rule.score - 0.1, 2), f"{rule.name} (goes on)")


def _subject(sentences: Sequence[_Sentence], number: int) -> set[str]:
    """Who sells where the announcement names nobody: the name that the next sentence begins with."""
    following = sentences[number + 1] if number + 1 < len(sentences) else None
    match = _SUBJECT.match(following.text) if following and following.speaker == sentences[number].speaker else None
    return {match[1]} if match and match[1].lower() not in _COMMON and len(match[1]) > 3 else set()


def _names(text: str) -> set[str]:
    """Names of who may be selling, from the sentence that gave the read away."""
    found = {match[1].rstrip(".") for match in _PROPER.finditer(text)}
    found |= {name.split()[0] for name in found}
    # `larkrack dot example` and `larkrack.example/show` name Larkrack.
    found |= {re.split(r"[.\s]", address[0])[0] for address in re.finditer(_ADDRESS, text, re.I)}
    return {name for name in found if name.lower() not in _COMMON and len(name) > 3}


def _per_segment(
    segments: Sequence[Segment], sentences: Sequence[_Sentence], marks: Sequence[SegmentMark | None], owner: Sequence[int]
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
