"""One mail now: links that a reader asked for, previews. No ledger: whoever asks twice gets two.

Belongs here: a message by the configured channel. A day's digest goes by `day`.
"""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP

from top5.deliveries.dkim import signer
from top5.deliveries.message import author
from top5.deliveries.model import Channel, LaneClosed, Mail
from top5.deliveries.outbox import OutboxChannel
from top5.deliveries.smtp import SmtpChannel
from top5.settings import Settings
from top5.subscribers.address import parse_address


def mail_channel(settings: Settings) -> Channel:
    """SMTP where a host is configured, else the outbox."""
    return SmtpChannel(settings.delivery) if settings.delivery.smtp_host else OutboxChannel(settings.home / "outbox")


def envelope_sender(settings: Settings) -> str:
    """Where bounces go: `delivery.bounce_address`, else the sender."""
    chosen = settings.delivery.bounce_address
    return parse_address(chosen).addr_spec if chosen else author(settings.delivery.sender).addr_spec


async def post(settings: Settings, message: EmailMessage) -> None:
    """Send one message to the one address in its To. Raises as `Lane.send`, with the cause in place of LaneClosed."""
    data = message.as_bytes(policy=SMTP)
    sign = signer(settings.delivery)
    mail = Mail(
        day=datetime.now(UTC).date(),
        recipient=parse_address(str(message["To"])).addr_spec,
        sender=envelope_sender(settings),
        message_id=str(message["Message-ID"]),
        data=(sign(data) if sign is not None else b"") + data,
    )
    await post_mail(settings, mail)


async def post_mail(settings: Settings, mail: Mail) -> None:
    """As `post`, for a mail that is ready."""
    async with mail_channel(settings) as channel:
        lane = channel.lane()
        try:
            await lane.send(mail)
        except LaneClosed as error:
            raise error.cause from error
        finally:
            await lane.close()
