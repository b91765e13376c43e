"""One small episode with everything an engine must keep apart: claims, talk, an advertisement, a greeting, misheard names."""

from top5.insights.model import EpisodeText
from top5.transcripts.model import Segment

CHIPS = (
    "Corventa runs its inference chips at 350 watts instead of 1,000 and cools them with perfectly ordinary fans. Staying below the "
    "threshold for liquid cooling lets customers use their existing buildings, which shortens a typical installation from 14 months of "
    "construction to about nine weeks."
)
QUEUE = (
    "Norlandia Grid started charging a refundable deposit of 20,000 dollars per megawatt, and 41 percent of the connection queue withdrew "
    "within six weeks. Serious developers lost nothing, while the average remaining applicant moved forward by 26 months without anybody "
    "laying a single new cable."
)
SODIUM = (
    "Helic's sodium cells will not cost less than lithium iron phosphate by 2028, whatever the colourful brochure promises. Lithium itself "
    "fell by 80 percent, which erased the raw material advantage, and sodium cells need hard carbon anodes that remain considerably more "
    "expensive than ordinary graphite."
)
FOLDING = (
    "Lindemoor Therapeutics ordered 480 binders designed with Fold Right, every one scored above 90, and only 31 stuck to their target in "
    "the laboratory. The failures were mostly proteins that clumped at room temperature, because nothing in the software's training data "
    "rewarded staying dissolved."
)

NOTES = """<p>Mara Oyelaran talks to <strong>Ines Kallaway</strong> of <a href="https://signal.example/corvanta">Corvanta</a> about
chips, the queue at Norlandia Grid, sodium cells of <b>Heliq</b>, and protein design with Foldwright at Lindemoor Therapeutics.</p>
<ul><li>Why decode is memory bound</li><li>Salt and lithium</li></ul><p>Rate us at https://signal.example/rate</p>"""

TURNS: tuple[tuple[str, str], ...] = (
    (
        "Mara Oyelaran",
        "Welcome to Signal Path, the show about chips. I'm Mara Oyelaran, and our guest is Ines Calloway of Corventa. Hello!",
    ),
    ("Ines Kallaway", "Hello, hello. Smug is fair. I mean, we try to hide it, but it comes through in the slides."),
    (
        "Mara Oyelaran",
        "This episode is brought to you by Larkrack. Larkrack rents you a rack by the week, and their customers tell us they save up to 38 "
        "percent on colocation in the first year. Go to larkrack dot example and use the promo code SIGNAL for your first week free.",
    ),
    ("Mara Oyelaran", "Can we do heat? I like doing heat. Is it true that everybody needs a pipe now?"),
    (
        "Ines Kallaway",
        f"For training, yes, they have to. {CHIPS} One of them is in a former carpet warehouse. It still smells of carpet.",
    ),
    ("Mara Oyelaran", "And the queue for a grid connection? He said it was ten years. That's absurd, isn't it?"),
    ("Ines Kallaway", f"It was. Then somebody did, um, the obvious thing. {QUEUE} I have the chart on my wall."),
    ("Mara Oyelaran", "What about sodium? Everybody at the fair told me salt wins."),
    ("Ines Kallaway", f"No. And I like them! But cheap? Look. {SODIUM} So the salt is cheap, yes. Salt was never the bill."),
    ("Mara Oyelaran", "And proteins? You fold them, the fold right at the start, and then what?"),
    (
        "Ines Kallaway",
        f"So, um, a colleague, you know, tried it. {FOLDING} I think that's maybe kind of the whole story, or something like that.",
    ),
    ("Mara Oyelaran", "Thanks for listening to Signal Path. Rate us, review us, tell a friend. See you on Wednesday."),
)


def episode(turns: tuple[tuple[str, str], ...] = TURNS, *, times: bool = True) -> EpisodeText:
    """Turns spoken one after the other at 15 characters a second."""
    segments: list[Segment] = []
    clock = 0.0
    for speaker, text in turns:
        end = clock + len(text) / 15
        segments.append(Segment(start=clock if times else None, end=end if times else None, speaker=speaker, text=text))
        clock = end
    return EpisodeText(
        title="Small Chips, Wide Pipes",
        show="Signal Path",
        description=NOTES,
        people=("Mara Oyelaran", "Ines Kallaway"),
        segments=tuple(segments),
    )
