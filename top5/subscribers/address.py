"""Mail addresses: read strictly, compared, and shown without telling whose they are.

Belongs here: one mailbox as text. Who subscribes is `service`, mails are `top5.deliveries.message`.
"""

import re
import unicodedata
from email.headerregistry import Address

from top5.digests.compose import visible_text
from top5.errors import PermanentError


def parse_address(text: str) -> Address:
    """One mailbox, `Name <user@host>` or `user@host`, with its host in ASCII (IDNA 2008) and in lower case.

    Raises PermanentError `bad_address` for anything else: several addresses, control or invisible characters, no host, a local part
    that is quoted or not ASCII (that needs SMTPUTF8, which many servers lack), too long.
    """
    from email_validator import EmailNotValidError, validate_email

    problem = PermanentError("bad_address", f"{visible_text(text)[:80]!r} is no mail address; write it as name@example.com.")
    # An encoded word in a name would be decoded into characters that were never checked.
    if len(text) > 500 or "=?" in text or any(unicodedata.category(sign) in _INVISIBLE for sign in text):
        raise problem
    name, spec = _name_and_spec(text.strip())
    if spec is None or (not name.startswith('"') and set(name) & set("<>@,;:")):
        raise problem
    # Names that no public mail goes to are refused by the library, and are what an operator's own network has.
    private = _PRIVATE_HOST.fullmatch(spec.rpartition("@")[2].lower())
    public = f"{spec.rpartition('@')[0]}@example.com" if private else spec
    try:
        found = validate_email(public, allow_smtputf8=False, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise problem from None
    host = private[0] if private else found.ascii_domain.lower()
    if len(host) > 253 or len(found.local_part) > 64 or not found.local_part.isascii() or not host[-1].isalnum():
        raise problem
    return Address(display_name=name.strip('"').strip(), username=found.local_part, domain=host)


_PRIVATE_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*(?:localhost|local|test|invalid)")
_INVISIBLE = frozenset({"Cc", "Cs", "Cf", "Zl", "Zp"})


def _name_and_spec(text: str) -> tuple[str, str | None]:
    if not text.endswith(">"):
        return "", text
    name, bracket, spec = text[:-1].rpartition("<")
    return (name.strip(), spec) if bracket else ("", None)


def address_key(address: str) -> str:
    """By which two spellings of one mailbox are told to be one: in lower case, for no provider minds the difference."""
    return address.lower()


def mask_address(address: str) -> str:
    """An address as logs and tables may show it: `r…@example.com`; anything that is none becomes `…`."""
    local, at, host = address.rpartition("@")
    return f"{local[:1]}…@{visible_text(host)[:60]}" if at and local else "…"
