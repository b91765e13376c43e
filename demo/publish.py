"""Making of the scripts what publishers make: feeds, transcripts in five formats, chapters, audio.

Belongs here: bytes as they look on the evening of a given day. How they are served (slowly, compressed, from elsewhere) is in
`demo.server`.
"""

import html
import json
import shutil
from collections.abc import Callable
from datetime import date
from email.utils import format_datetime
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from demo.script import FOLDER, Cue, Script, Show, published_at, read_scripts, read_shows

TYPES = {"vtt": "text/vtt", "srt": "application/x-subrip", "json": "application/json", "html": "text/html", "text": "text/plain"}
SUFFIXES = {"vtt": "vtt", "srt": "srt", "json": "json", "html": "html", "text": "txt"}


def publish(root: Path, day: int) -> None:
    """Write under `root/<host>/` what the shows have published by the evening of `day` (1 to 5)."""
    first_day, shows = read_shows()
    scripts = read_scripts()
    for show in shows.values():
        folder = root / show.host
        folder.mkdir(parents=True, exist_ok=True)
        own = [script for script in scripts.values() if script.show == show.slug and script.day <= day]
        items = [_item(script, show, first_day, day) for script in own]
        items += [_repeat(scripts[name], shows, first_day) for name in show.repeats if scripts[name].day <= day]
        _write(folder / "feed.xml", _feed(show, items[::-1]))
        for script in own:
            _write(folder / f"{script.id}.chapters.json", _chapters(script))
            if script.extra.get("transcript_day", script.day) <= day:
                for kind in show.transcripts:
                    _write(folder / f"{script.id}.{SUFFIXES[kind]}", TRANSCRIPTS[kind](script))
            if show.audio:
                shutil.copyfile(FOLDER / "audio" / f"{script.id}.mp3", folder / f"{script.id}.mp3")


def opml() -> bytes:
    """The subscriptions of somebody who follows all sample shows."""
    _, shows = read_shows()
    lines = [
        f"    <outline type={quoteattr('rss')} text={quoteattr(show.title)} xmlUrl={quoteattr(feed_url(show))}/>"
        for show in shows.values()
    ]
    return "\n".join(
        ['<?xml version="1.0" encoding="UTF-8"?>', '<opml version="2.0">', "  <body>", *lines, "  </body>", "</opml>", ""]
    ).encode()


def feed_url(show: Show) -> str:
    """Where a show's feed is subscribed to; one show has moved since."""
    return f"http://{show.host}/{'old-feed.xml' if show.serve == 'moved' else 'feed.xml'}"


def _write(path: Path, text: str) -> None:
    data = text.encode()
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)


def _feed(show: Show, items: list[str]) -> str:
    people = "\n".join(f'    <podcast:person role="host">{escape(host)}</podcast:person>' for host in show.hosts)
    description = escape(show.description)
    feed = f"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:content="http://purl.org/rss/1.0/modules/content/" \
xmlns:podcast="https://podcastindex.org/namespace/1.0">
  <channel>
    <title>{escape(show.title)}</title>
    <link>http://{show.host}/</link>
    <description>{description}</description>
    <language>en</language>
    <itunes:author>{escape(show.author)}</itunes:author>
    <podcast:locked>yes</podcast:locked>
{people}
{chr(10).join(items)}
  </channel>
</rss>
"""
    if show.serve == "malformed":
        # As hand-made feeds are: a bare ampersand, an entity that XML does not know, and an end that never came.
        feed = feed.replace("&amp;", "&").replace("<language>", "<copyright>Greta &copy; 2026</copyright>\n    <language>", 1)
        feed = feed[: feed.rindex("</item>") + len("</item>")] if "</item>" in feed else feed
    return feed


def _item(script: Script, show: Show, first_day: date, day: int) -> str:
    republished = script.extra.get("republished_day", 99) <= day
    title = script.extra["republished_title"] if republished else script.title
    base = f"http://{show.host}/{script.id}"
    links = "".join(
        f'\n      <podcast:transcript url="{base}.{SUFFIXES[kind]}" type="{TYPES[kind]}" language="en"'
        + (' rel="captions"' if kind in ("vtt", "srt") and len(show.transcripts) > 1 else "")
        + "/>"
        for kind in show.transcripts
    )
    people = "".join(f'\n      <podcast:person role="guest">{escape(guest)}</podcast:person>' for guest in script.guests)
    length = (FOLDER / "audio" / f"{script.id}.mp3").stat().st_size if show.audio else int(script.duration * 16_000)
    return f"""    <item>
      <guid isPermaLink="false">{show.slug}/{script.id}</guid>
      <title>{escape(title)}</title>
      <link>http://{show.host}/episodes/{script.link_slug}</link>
      <pubDate>{format_datetime(published_at(script, show, first_day))}</pubDate>
      <itunes:duration>{int(script.duration)}</itunes:duration>
      <enclosure url="{base}.mp3" length="{length}" type="audio/mpeg"/>{links}{people}
      <podcast:chapters url="{base}.chapters.json" type="application/json+chapters"/>
      <content:encoded><![CDATA[{script.notes.strip()}]]></content:encoded>
    </item>"""


def _repeat(script: Script, shows: dict[str, Show], first_day: date) -> str:
    """The same audio in a network's feed: another GUID, another title, the enclosure behind a tracking prefix."""
    show = shows[script.show]
    return f"""    <item>
      <guid isPermaLink="false">brinewell-{script.id}</guid>
      <title>{escape(show.title)}: {escape(script.title)}</title>
      <pubDate>{format_datetime(published_at(script, show, first_day))}</pubDate>
      <enclosure url="http://dts.podtrac.com/redirect.mp3/{show.host}/{script.id}.mp3" type="audio/mpeg"/>
      <description>{escape(show.title)} on the Brinewell Network.</description>
    </item>"""


def _chapters(script: Script) -> str:
    chapters = [
        {"startTime": turn.start, "title": title}
        for title, starts in script.chapters
        for turn in script.timed_turns
        if turn.text.startswith(starts)
    ]
    return json.dumps({"version": "1.2.0", "chapters": chapters}, indent=1)


def _clock(seconds: float, separator: str = ".") -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{separator}{rest % 1000:03}"


def _vtt(script: Script) -> str:
    cues = [
        f"{_clock(cue.start)} --> {_clock(cue.end)} align:start\n<v {cue.speaker}>{html.escape(cue.text, quote=False)}</v>"
        for cue in script.cues(14)
    ]
    return "WEBVTT\n\n" + "\n\n".join(cues) + "\n"


def _srt(script: Script) -> str:
    blocks: list[str] = []
    speaker = None
    for number, cue in enumerate(script.cues(16), start=1):
        name = f"{cue.speaker}: " if cue.speaker != speaker else ""
        blocks.append(f"{number}\r\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\r\n{name}{cue.text}\r\n")
        speaker = cue.speaker
    return "\r\n".join(blocks)


def _json(script: Script) -> str:
    def segment(cue: Cue) -> dict[str, object]:
        return {"speaker": cue.speaker, "startTime": cue.start, "endTime": cue.end, "body": cue.text}

    return json.dumps({"version": "1.0.0", "segments": [segment(cue) for cue in script.cues(24)]}, indent=1)


def _html(script: Script) -> str:
    turns = "\n".join(
        f"<cite>{html.escape(turn.speaker)}:</cite>\n<time>{_clock(turn.start)[:8]}</time>\n<p>{html.escape(turn.text)}</p>"
        for turn in script.timed_turns
    )
    return f'<!DOCTYPE html>\n<html lang="en"><head><title>{html.escape(script.title)}</title></head>\n<body>\n{turns}\n</body></html>\n'


def _text(script: Script) -> str:
    return "\n\n".join(f"[{_clock(turn.start)[:8]}] {turn.speaker}: {turn.text}" for turn in script.timed_turns) + "\n"


TRANSCRIPTS: dict[str, Callable[[Script], str]] = {"vtt": _vtt, "srt": _srt, "json": _json, "html": _html, "text": _text}
