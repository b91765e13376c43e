"""What gives away that words are not content: the patterns, and the types that go with them.

Belongs here: words and how sure they are. Does not belong here: how far a read or a promotion goes (`reads`, `house`), the marks of
segments (`sponsors`). English only.
"""

import re
from dataclasses import dataclass
from typing import Literal

MarkKind = Literal["sponsor", "promo", "greeting", "outro", "music", "repeat"]


@dataclass(frozen=True)
class SegmentMark:
    """Why a segment is not content. `score` is 0 to 1, how sure the rule is times the share of the segment's words it covers."""

    kind: MarkKind
    score: float
    rule: str


@dataclass(frozen=True)
class Rule:
    """A pattern and what a sentence is where it stands, with how sure that is (0 to 1)."""

    name: str
    kind: MarkKind
    score: float
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class Sentence:
    """Tokens `begin` to `end` of the running text; `place` is how far into the episode, 0 to 1; `repeated` says
    that other episodes of the show have most of it, too."""

    begin: int
    end: int
    text: str
    speaker: str | None
    start: float | None
    place: float
    repeated: bool = False


def _rule(name: str, kind: MarkKind, score: float, pattern: str) -> Rule:
    return Rule(name, kind, score, re.compile(pattern, re.I))


def any_of(*patterns: str) -> re.Pattern[str]:
    """One pattern of several, case aside."""
    return re.compile("|".join(patterns), re.I)


_SHOW = (
    r"(?:this|today'?s|our|the|this week'?s|tonight'?s) (?:\w+ ){0,2}?"
    r"(?:episode|show|podcast|program|edition|portion|part|segment|hour|series)"
)
_TLD = r"(?:com|io|ai|dev|fm|net|org|co|app|tv|me|us|uk|de|tech|cloud|sh|so|example)"
ADDRESS = rf"(?:[\w-]+(?:\.[\w-]+)*\.{_TLD}\b|[\w-]+ dot {_TLD}\b)(?:(?:/| slash | forward slash )[\w-]+)?"

READS = (
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
GREETINGS = (
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
OUTROS = (
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
MUSIC = re.compile(
    r"^\W*(?:(?:intro|outro|theme|upbeat|soft|dramatic|gentle|ambient|closing|opening|break|jingle)\W+){0,3}"
    r"(?:music|jingle|applause|♪+|♫+|outro|intro|theme song|break)"
    r"(?:\W+(?:music|playing|plays|fades?(?: in| out)?|continues|swells|break|ends|stops)){0,3}\W*"
    r"(?:\[?\\?\[?\d[\d:.\\\]\[\s–-]*)?\W*$|^[♪♫\s]+.*[♪♫\s]+$",
    re.I,
)
# How many sentences more a promise of the house takes, by rule.
CARRIES_ON = {"word from the house": 6, "live show": 4, "other episodes": 2, "newsletter for more": 1}
LIST_ITEM = re.compile(r"^[-*•]\s")
OPENS_OR_CLOSES = frozenset({"about our sponsor", "brought to you by", "our sponsor", "next sponsor", "thanks for sponsoring"})
# What a host asks for at the end of a read, so that the sponsor sees whom it paid.
CLOSES = re.compile(
    r"\b(?:you|they|people) (?:came|come|heard(?: about (?:it|them))?) from us\b|\bstop (?:supporting|sponsoring) (?:the|this|our|us)\b|"
    r"\bus(?:e|ing) (?:our|that|this) (?:link|url|code)\b|\b(?:supports|helps(?: to)?(?: support)?) (?:the|this|our) (?:show|podcast)\b",
    re.I,
)
# Announcements after which a read may begin at once, later, or not at all.
SAYS_LITTLE = frozenset({"about our sponsor", "brought to you by us"})
# Signs that a read goes on; none starts one.
SELLING = re.compile(
    rf"{ADDRESS}|\b(?:free trial|(?:first|one|two|three) (?:\w+ )?(?:week|month|year|order|box)s?(?: is| are)? free|"
    rf"free (?:month|week|shipping|account|tier|plan)|"
    rf"\d+(?:%| percent) off|(?:made )?that code|off your (?:first|next)|money[- ]back|no credit card|sign up|get started|"
    rf"learn more|check (?:it|them) out|"
    rf"our (?:listeners|friends at)|for our listeners|listeners of this|link (?:is )?in the (?:show notes|newsletter|description)|"
    rf"visit|sponsor(?:s|ing|ed|ship)?|show notes|us(?:e|ing) (?:our|the|this|that) link|for supporting|create (?:your|an?|a free) account|"
    rf"(?:promo|coupon|discount) code|at checkout|their customers|trusted by|try it (?:today|for free|free)|get \$?\d+|start building|demo today)\b",
    re.I,
)
# How a read of an unknown sponsor ends.
CALL = re.compile(rf"{ADDRESS}|\blearn more\b", re.I)
LEAD_IN = re.compile(
    r"\b(?:before we (?:get|go|start|begin|continue|dive|move)|quick (?:break|word|pause)|short break|"
    r"pay the bills|let'?s (?:take a|pause|thank)|"
    r"we'?ll be right back|a moment to|real quick)\b",
    re.I,
)
BACK = re.compile(
    r"^(?:(?:ok(?:ay)?|all right|alright|right|so|and|now|anyway|well),? )*"
    r"(?:back to|let(?:'?s| us) (?:get (?:back|to|into)|dive|talk|move)|we'?re back|welcome back|that'?s the news)\b",
    re.I,
)
PROPER = re.compile(
    r"(?:\babout|\bby|\bfrom|\bat|\bthank|\bthanks to|\bto|\bsponsor,?) ((?:[A-Z][\w'’.-]*[\w](?: [A-Z][\w'’-]*)?))"
)
SUBJECT = re.compile(
    r"(?:The )?([A-Z][\w'’-]+)(?: [A-Z][\w'’-]+){0,2} (?:is|are|makes?|helps?|lets?|gives?|offers?|builds?|takes?|says?|just)\b"
)
COMMON = frozenset(
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
