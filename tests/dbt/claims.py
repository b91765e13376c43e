"""One claim in four wordings, its near neighbours, a denied pair, and vectors that stand to each other as MiniLM's do."""

from typing import Final

import numpy as np

REWORDED: Final = {
    "reworded-0": (
        "Norlandia Grid found that data centres willing to be switched off for 40 hours a year can be connected three "
        "years earlier, because the grid is only short at a few winter peaks."
    ),
    "reworded-1": (
        "A data centre that signs Ferrowatt's interruptible contract gets its Norlandia Grid connection about three years"
        " sooner, since those 40 peak hours are all the grid lacks."
    ),
    "reworded-2": (
        "Land with an interruptible Norlandia Grid connection, dark for 40 hours a year, rents for more because tenants "
        "can open three years before the neighbours."
    ),
    "reworded-3": (
        "Norlandia Grid connects new data centres roughly three years earlier when the owners accept being switched off "
        "for about 40 hours a year. Sunniva Roe's analysis at Ferrowatt shows precisely why: transmission capacity runs "
        "short only at a few winter peaks, and stands unused otherwise."
    ),
}
NEIGHBOURS: Final = {
    "neighbour-0": (
        "Norlandia Grid will spend 40 billion kroner over three years on new lines, because the winter peaks of heat "
        "pumps grow faster than the wires that carry them."
    ),
    "neighbour-1": (
        "Norlandia Grid raised its connection fee for data centres by 18 percent, because the queue is full of projects "
        "that never order a transformer."
    ),
    "neighbour-2": (
        "Ferrowatt sells its grid software to 12 operators, and Norlandia Grid pays by the megawatt freed instead of by "
        "seat, so a quiet winter costs Ferrowatt money."
    ),
    "neighbour-3": (
        "Data centres in Corvanta's campus keep diesel generators for 40 hours of fuel, because the insurer will not pay "
        "for losses after the second day."
    ),
    "neighbour-4": (
        "Data centres cut their cooling bill by 18 percent when they let the halls run at 30 degrees, because servers "
        "fail no more often below 35."
    ),
    "neighbour-5": (
        "A battery beside the transformer lets a data centre connect two years earlier in Texas, because the utility only"
        " limits what is drawn in summer afternoons."
    ),
    "neighbour-6": (
        "Sunniva Roe of Norlandia Grid says the queue for connections is eight years long, and half of the projects in it"
        " are the same data centre filed at three sites."
    ),
    "neighbour-7": (
        "Norlandia Grid connects new factories within 40 weeks, because three years of digging permits were cut down to one form."
    ),
    "neighbour-8": (
        "Half of Norlandia Grid's transmission capacity stays empty on purpose, reserved for the sudden failure of a "
        "neighbouring line. Software that trips selected customers within 200 milliseconds of a failure can release most "
        "of that reserve, at about a hundredth of the price of building new towers."
    ),
}
DENIED: Final = {
    "stated": (
        "Sodium cells from Heliq will cost less per kilowatt-hour than lithium iron phosphate by 2028. Heliq replaces "
        "copper foil with aluminium, needs no lithium whatsoever, and runs its sodium chemistry through existing lithium "
        "production lines, so the new product arrives without the bill for a new factory."
    ),
    "denied": (
        "Heliq's sodium cells will not cost less than lithium iron phosphate by 2028, whatever the colourful brochure "
        "promises. Lithium itself fell by 80 percent, which erased the raw material advantage, and sodium cells need hard"
        " carbon anodes that remain considerably more expensive than ordinary graphite."
    ),
}
TEXTS: Final = {**REWORDED, **NEIGHBOURS, **DENIED}

# Cosines times 1000 between the texts in the order of TEXTS, lower triangle, from all-MiniLM-L6-v2 (int8).
MEASURED: Final[tuple[tuple[int, ...], ...]] = (
    (),
    (784,),
    (613, 589),
    (867, 812, 617),
    (609, 629, 454, 641),
    (500, 582, 411, 604, 568),
    (357, 616, 434, 449, 516, 486),
    (359, 281, 250, 366, 280, 200, 184),
    (324, 217, 155, 318, 235, 381, 157, 264),
    (501, 395, 334, 462, 232, 352, 176, 365, 335),
    (532, 571, 388, 555, 463, 516, 233, 263, 204, 283),
    (553, 603, 523, 569, 563, 420, 356, 271, 73, 182, 459),
    (578, 652, 560, 765, 602, 637, 472, 282, 258, 272, 451, 537),
    (104, 128, 83, 153, 297, 267, 253, 195, 125, 188, 116, 156, 183),
    (111, 116, 87, 141, 290, 219, 205, 151, 104, 173, 100, 150, 196, 864),
)


def cosines() -> np.ndarray:
    """The measured cosines as a symmetric matrix with ones on its diagonal."""
    size = len(MEASURED)
    lower = np.zeros((size, size))
    for row, values in enumerate(MEASURED):
        lower[row, : len(values)] = np.array(values) / 1000
    return lower + lower.T + np.eye(size)


def vectors() -> dict[str, list[float]]:
    """A short vector for each text, such that every two have the measured cosine."""
    values, directions = np.linalg.eigh(cosines())
    placed = directions * np.sqrt(np.clip(values, 0, None))
    return {name: row.tolist() for name, row in zip(TEXTS, placed, strict=True)}


def entities(text: str) -> list[str]:
    """Names that an engine would report."""
    known = ("Norlandia Grid", "Ferrowatt", "Sunniva Roe", "Corvanta", "Heliq", "Texas")
    return [name for name in known if name in text]
