"""The fault drill: the daily job killed at random moments, then run again; the digest must be the same and no mail go out twice.

python -m bench.faults [count] [seed] [folder]

40 kills by default. The moments are drawn by the seed alone, and what became of each is written to `folder`: a call that was cut short is gone on
with by the next, and `10`, `20`, `30`, `40` after each other are the whole drill in four parts.
"""

import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from email import message_from_bytes
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from bench import machine
from bench.run import DAY, ROOT, environment

COUNT = 40
ENDED = "after its end"
JOB = [sys.executable, "-m", "demo", "1"]
MOMENTS = {
    "before its first write": "catalog.db",
    "scan": f"lake/episodes/{DAY}.parquet",
    "transcripts": f"lake/transcripts/{DAY}.parquet",
    "insights": f"lake/insights/{DAY}.parquet",
    "ranking": f"lake/digests/{DAY}.r001.json",
    "digest": f"digests/{DAY}/digest.json",
}


class Inbox:
    """An SMTP server that counts what it takes, by recipient and Message-ID."""

    def __init__(self) -> None:
        self.taken: Counter[tuple[str, str]] = Counter()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail."""
        identity = str(message_from_bytes(envelope.content or b"")["Message-ID"])  # type: ignore[arg-type]
        self.taken.update((recipient, identity) for recipient in envelope.rcpt_tos)
        return "250 taken"


def serve(inbox: Inbox) -> Controller:
    """A running server on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    return server


def variables(port: int) -> dict[str, str]:
    """Mail goes to a server: an outbox that is written twice holds the same file and would show nothing."""
    return {
        "TOP5_DELIVERY__SMTP_HOST": "127.0.0.1",
        "TOP5_DELIVERY__SMTP_PORT": str(port),
        "TOP5_DELIVERY__SMTP_SECURITY": "none",
        "TOP5_DELIVERY__RECIPIENTS": '["one@localhost.example", "two@localhost.example"]',
    }


def run(home: Path, port: int) -> None:
    """The job to its end. Raises where it fails."""
    done = subprocess.run(JOB, cwd=ROOT, env=environment(home, **variables(port)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError((done.stdout + done.stderr)[-1500:])


def killed(home: Path, port: int, after: float) -> str:
    """Start the job, kill all its processes after so many seconds; says how far it had come."""
    env = environment(home, **variables(port))
    with subprocess.Popen(
        JOB, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as job:
        try:
            job.wait(timeout=after)
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, signal.SIGKILL)
    if job.returncode == 0:
        return ENDED
    return next((name for name, file in MOMENTS.items() if not (home / file).exists()), "delivery")


def drill(home: Path, after: float, wanted: bytes) -> dict[str, object]:
    """One kill in a new home, and the run after it."""
    shutil.rmtree(home, ignore_errors=True)
    inbox = Inbox()
    server = serve(inbox)
    where = killed(home, server.port, after)
    try:
        run(home, server.port)
        again = "complete"
    except RuntimeError as error:
        again = "FAILED"
        print(error)
    server.stop()
    digest = home / "digests" / str(DAY) / "digest.json"
    same = digest.exists() and digest.read_bytes() == wanted
    shutil.rmtree(home, ignore_errors=True)
    twice = sum(number - 1 for number in inbox.taken.values())
    return {"after": after, "where": where, "again": again, "same": same, "mails": len(inbox.taken), "twice": twice}


def reference(folder: Path) -> tuple[bytes, float]:
    """The digest of a run that nobody disturbs, and the seconds that such a run takes from nothing; made once for a folder."""
    digest, kept = folder / "reference" / "digests" / str(DAY) / "digest.json", folder / "whole.json"
    if not kept.exists():
        server = serve(Inbox())
        seconds: list[float] = []
        for name in ("timing", "reference"):  # the first fills the disk cache
            shutil.rmtree(folder / name, ignore_errors=True)
            started = time.monotonic()
            run(folder / name, server.port)
            seconds.append(time.monotonic() - started)
        server.stop()
        kept.write_text(json.dumps(min(seconds)))
    return digest.read_bytes(), json.loads(kept.read_text())


def main(arguments: list[str]) -> None:
    """Print a row per kill and the sums; exit 1 where anything was different or doubled."""
    count, seed = (int(argument) for argument in (*arguments[:2], *(str(COUNT), "1")[len(arguments[:2]) :]))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments[2]).resolve() if len(arguments) > 2 else Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        wanted, whole = reference(folder)
        print(f"{machine.line()}\nfault drill: {count} kills, seed {seed}; a whole run from nothing takes {whole:.1f} s")
        print(f"  {'killed after':>12}  {'in':<24} {'run again':<10} {'digest':<10} mails (of 2), doubled")
        draw, record = random.Random(seed), folder / f"kills-{seed}.jsonl"
        tried = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
        kills: list[dict[str, object]] = []
        for number in itertools.count():
            after = draw.uniform(0, whole)
            if number >= len(tried):
                tried.append(drill(folder / "victim", after, wanted))
                with record.open("a") as file:
                    file.write(json.dumps(tried[-1]) + "\n")
            row = tried[number]
            if row["where"] == ENDED:
                continue  # it was faster than the one that was timed: nothing was killed
            kills.append(row)
            print(
                f"  {row['after']:10.1f} s  {row['where']:<24} {row['again']:<10} {'identical' if row['same'] else 'DIFFERENT':<10} "
                f"{row['mails']}, {row['twice']}",
                flush=True,
            )
            if len(kills) == count:
                break
    good = sum(row["again"] == "complete" and row["same"] for row in kills)
    doubles, lost = sum(row["twice"] for row in kills), sum(2 - row["mails"] for row in kills)
    print(
        f"  {good} of {count} complete with the identical digest, {doubles} mails sent twice, {lost} not sent (aim: {count}, 0)"
    )
    if good < count or doubles:
        raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
