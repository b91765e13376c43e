"""DKIM signatures (RFC 6376) for those whose relay does not sign. Needs the extra `dkim`.

Belongs here: turning the settings into a function that signs a finished message.
"""

from collections.abc import Callable
from typing import Any, Final, cast

from top5.errors import PermanentError
from top5.settings import DeliverySettings

SIGNED: Final = (
    b"from", b"to", b"subject", b"date", b"message-id", b"list-id", b"list-unsubscribe", b"list-unsubscribe-post",
    b"auto-submitted", b"mime-version", b"content-type",
)  # fmt: skip
"""Headers under the signature; RFC 8058 asks for both of List-Unsubscribe."""


def signer(settings: DeliverySettings) -> Callable[[bytes], bytes] | None:
    """A function from a message to the header line to put before it, or None where nothing is configured.

    Raises PermanentError `bad_settings` where the three settings are not all there, the key cannot be read, or the library is missing.
    """
    selector, domain, path = settings.dkim_selector, settings.dkim_domain, settings.dkim_key
    if selector is None and domain is None and path is None:
        return None
    if selector is None or domain is None or path is None:
        raise PermanentError(
            "bad_settings", "DKIM needs delivery.dkim_selector, dkim_domain and dkim_key; set all three or none."
        )
    try:
        import dkim as library  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise PermanentError("bad_settings", "DKIM needs dkimpy; install the extra `dkim`.") from error
    try:
        key = path.read_bytes()
    except OSError as error:
        raise PermanentError("bad_settings", f"delivery.dkim_key {path} cannot be read ({error.strerror}); fix it.") from error
    kind = b"ed25519-sha256" if b"BEGIN" not in key else b"rsa-sha256"
    sign: Any = library.sign  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  (dkimpy has no types)

    def sign_message(message: bytes) -> bytes:
        try:
            header = sign(
                message, selector.encode(), domain.encode("idna"), key, signature_algorithm=kind,
                canonicalize=(b"relaxed", b"relaxed"), include_headers=_present(message),
            )  # fmt: skip
        except library.DKIMException as error:
            raise PermanentError(
                "bad_settings", f"delivery.dkim_key {path} does not sign ({error}); give an RSA key in PEM."
            ) from error
        return cast("bytes", header)

    return sign_message


def _present(message: bytes) -> list[bytes]:
    head = message.partition(b"\r\n\r\n")[0].lower()
    there = {line.partition(b":")[0] for line in head.split(b"\r\n")}
    # From and Subject stand twice: then none can be added behind the signature.
    return [name for name in SIGNED if name in there] + [b"from", b"subject"]
