"""How far a transcript can be trusted, 0 to 1, with the parts of the score.

Belongs here: measures on words and times that need no audio.
"""

from pydantic import BaseModel, ConfigDict

from top5.transcripts.model import Transcript

FLOOR = 0.5
"""Below it a transcript is kept, marked, and used for no insight."""

# Conversational English runs at 110 to 200 words a minute; outside 60 to 260 words are missing or repeated.
SLOWEST_WPM, FASTEST_WPM = 60.0, 260.0
FEWEST_WORDS = 80


class Trust(BaseModel):
    """The score is the least of its parts: a transcript is as good as its worst fault."""

    model_config = ConfigDict(frozen=True)

    coverage: float
    pace: float
    length: float

    @property
    def score(self) -> float:
        """0 to 1."""
        return round(min(self.coverage, self.pace, self.length), 3)

    @property
    def worst(self) -> str:
        """The part that decides, as a slug."""
        parts = {"low_coverage": self.coverage, "odd_pace": self.pace, "too_short": self.length}
        return min(parts, key=lambda name: parts[name])


def trust(transcript: Transcript, audio_seconds: float | None) -> Trust:
    """Measure a transcript against the length of the audio in seconds, where the feed states it.

    coverage: the last time named over the length of the audio (at least 0.8 counts as whole: outros are often left out);
    pace: words a minute inside the plausible range; length: enough words to hold a claim.
    """
    covered = transcript.duration
    coverage = min(1.0, covered / (0.8 * audio_seconds)) if covered and audio_seconds else 1.0
    minutes = (covered or audio_seconds or 0.0) / 60
    wpm = transcript.words / minutes if minutes else None
    pace = 1.0 if wpm is None else max(0.0, min(1.0, wpm / SLOWEST_WPM, 2 - wpm / FASTEST_WPM))
    return Trust(coverage=coverage, pace=pace, length=min(1.0, transcript.words / FEWEST_WORDS))
