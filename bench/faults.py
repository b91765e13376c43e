"""The fault drill: the daily job killed at random moments, then run again; the digest must be the same and no mail go out twice.

python -m bench.faults [count] [seed] [folder]      40 kills by default; `folder` keeps the reference of earlier calls with it
"""

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
        return "after its end"
    return next((name for name, file in MOMENTS.items() if not (home / file).exists()), "delivery")


def main(arguments: list[str]) -> None:
    """Print a row per kill and the sums; exit 1 where anything was lost, different or doubled."""
    count, seed = (int(argument) for argument in (*arguments[:2], *(str(COUNT), "1")[len(arguments[:2]) :]))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments[2]).resolve() if len(arguments) > 2 else Path(scratch)
        reference = folder / "reference"
        before = serve(Inbox())
        port = before.port
        if not (reference / "digests" / str(DAY) / "digest.json").exists():
            run(reference, port)
        shutil.rmtree(folder / "timing", ignore_errors=True)
        started = time.monotonic()
        run(folder / "timing", port)
        whole = time.monotonic() - started
        before.stop()
        wanted = (reference / "digests" / str(DAY) / "digest.json").read_bytes()
        print(f"{machine.line()}\nfault drill: {count} kills, seed {seed}; a whole run from nothing takes {whole:.1f} s")
        print(f"  {'killed after':>12}  {'in':<24} {'run again':<10} {'digest':<10} mails (of 2), doubled")
        random.seed(seed)
        good = doubles = lost = 0
        for number in range(count):
            home = folder / f"victim-{seed}-{number}"
            shutil.rmtree(home, ignore_errors=True)
            inbox = Inbox()
            server = serve(inbox)
            port = server.port
            after = random.uniform(0, whole)
            where = killed(home, port, after)
            try:
                run(home, port)
                again = "complete"
            except RuntimeError as error:
                again = "FAILED"
                print(error)
            server.stop()
            digest = home / "digests" / str(DAY) / "digest.json"
            same = digest.exists() and digest.read_bytes() == wanted
            twice = sum(number - 1 for number in inbox.taken.values())
            good += again == "complete" and same
            doubles += twice
            lost += 2 - len(inbox.taken)
            print(
                f"  {after:10.1f} s  {where:<24} {again:<10} {'identical' if same else 'DIFFERENT':<10} {len(inbox.taken)}, {twice}",
                flush=True,
            )
            shutil.rmtree(home, ignore_errors=True)
        print(
            f"  {good} of {count} complete with the identical digest, {doubles} mails sent twice, {lost} not sent (aim: {count}, 0)"
        )
    if good < count or doubles:
        raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
