"""The mails that a request on the site causes: plain text, one link each, nothing to look at.

Belongs here: their words. The digest's mail is `top5.deliveries.message`.
"""

import secrets
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from top5.subscribers.address import parse_address


def confirmation(address: str, *, sender: str, title: str, link: str, days: float, now: datetime) -> EmailMessage:
    """Asks whoever reads the address to say yes."""
    return _letter(
        address,
        sender,
        f"Please confirm: {title}",
        f"""Somebody, probably you, asked for "{title}" at this address.

To get it, open this page and press the button:

{link}

The link works for {_days(days)}. If you did not ask, do nothing: nothing will come.
""",
        now,
    )


def links(address: str, *, sender: str, title: str, manage: str | None, data: str, now: datetime) -> EmailMessage:
    """The links that a subscriber asked for, or who signed up again although subscribed. `manage` is None for who has left."""
    preferences = f"What you get, when, and about what:\n\n{manage}\n\n" if manage else ""
    return _letter(
        address,
        sender,
        f"Your links: {title}",
        f"""Somebody, probably you, asked for the links of your subscription to "{title}".

{preferences}All that is kept about you, and how to have it deleted (this link works for one hour):

{data}

If you did not ask, do nothing. Do not pass this mail on: its links are yours.
""",
        now,
    )


def _days(days: float) -> str:
    return f"{days:g} day{'' if days == 1 else 's'}"


def _letter(address: str, sender: str, subject: str, text: str, now: datetime) -> EmailMessage:
    author, to = parse_address(sender), parse_address(address)
    message = EmailMessage(policy=SMTP)
    message["From"] = author
    message["To"] = to
    message["Subject"] = " ".join(subject.replace("=?", "= ?").split())
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<top5.{secrets.token_hex(16)}@{author.domain}>"
    message["Auto-Submitted"] = "auto-replied"
    message.set_content(text, cte="quoted-printable")
    return message
