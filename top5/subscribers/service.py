"""The way in and out: what a reader, a site or an operator may ask for, and what it changes.

Belongs here: the rules (who may do what with which token, same answers, limits). Rows are `top5.catalog.subscribers`, tokens `tokens`,
words `letters`; web pages and the command line call this module and decide nothing.
"""

import hashlib
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any, Literal

from top5.catalog.store import Catalog
from top5.catalog.subscribers import SubscriberStore
from top5.errors import PermanentError, TransientError
from top5.settings import Settings
from top5.subscribers import letters
from top5.subscribers.address import address_key, mask_address, parse_address
from top5.subscribers.model import Preferences, Subscriber, SubscriberState
from top5.subscribers.tokens import Claim, Purpose, Tokens, open_tokens, refused

Post = Callable[[EmailMessage], Awaitable[None]]


class RateLimited(TransientError):
    """Too many requests of one network; `retry_after` says for how many seconds."""


@dataclass(frozen=True)
class Outgoing:
    """What is left to do after a request was answered: `message` is the mail that it causes, or None.

    The answer must not depend on it, nor wait for it.
    """

    message: EmailMessage | None
    _post: Post

    async def send(self) -> None:
        """Send the mail, if there is one. Raises as the channel does; there is no second attempt, the reader may ask again."""
        if self.message is not None:
            await self._post(self.message)


@dataclass(frozen=True)
class Links:
    """A subscriber's pages on the site, as absolute URLs with tokens: secrets of that subscriber."""

    confirm: str
    manage: str
    data: str
    unsubscribe: str


class Subscribers:
    """All that may be done with subscribers. Methods are synchronous, each one transaction or few; `now` is timezone-aware."""

    def __init__(self, settings: Settings, catalog: Catalog, tokens: Tokens, post: Post) -> None:
        self._settings, self._tokens, self._post = settings, tokens, post
        self.store = SubscriberStore(catalog)

    # By anybody

    def sign_up(self, address: str, preferences: Preferences, *, network: str, now: datetime) -> Outgoing:
        """Ask for the digest at an address. Nobody is subscribed before they confirm by the link in the mail that this causes.

        The same for a new address, a known one and one that is never mailed: only whoever reads the mail learns which it is.
        `network` is the client's IP address. Raises PermanentError `bad_address`, `sign_up_closed`, `no_site_url`, and RateLimited.
        """
        if not self._settings.subscribers.sign_up:
            raise PermanentError("sign_up_closed", "Signing up is closed; ask the operator.")
        parsed = parse_address(address)
        spec = parsed.addr_spec
        mailable = self._let_through(spec, network, now)
        pending = SubscriberState.PENDING
        subscriber, new = self.store.add(spec, preferences, state=pending, source="site", now=now) if mailable else (None, False)
        if subscriber is None or subscriber.state == SubscriberState.SUPPRESSED:
            return self._outgoing(None)
        if subscriber.state == SubscriberState.ACTIVE:
            return self._outgoing(self._links_letter(subscriber, now))
        if not new:
            self.store.set_preferences(subscriber.subscriber_id, preferences, now)
        return self._outgoing(
            letters.confirmation(
                subscriber.address,
                sender=self._settings.delivery.sender,
                title=self._settings.digest.title,
                link=self.links(subscriber, now).confirm,
                days=self._settings.subscribers.confirm_days,
                now=now,
            )
        )

    def request_links(self, address: str, *, network: str, now: datetime) -> Outgoing:
        """Ask for the links to preferences and data, by mail to the address. The same for an unknown address. Raises as `sign_up`."""
        spec = parse_address(address).addr_spec
        mailable = self._let_through(spec, network, now)
        subscriber = self.store.find(spec, "mail") if mailable else None
        known = subscriber is not None and subscriber.state in (SubscriberState.ACTIVE, SubscriberState.UNSUBSCRIBED)
        return self._outgoing(self._links_letter(subscriber, now) if subscriber is not None and known else None)

    # By token

    def look(self, token: str, purpose: Purpose, now: datetime) -> Subscriber:
        """Whom a token names, for a page that shows what it would do. Changes nothing. Raises TokenRefused."""
        return self._bearer(token, purpose, now)[0]

    def confirm(self, token: str, now: datetime) -> Subscriber:
        """Say yes: `active` from now on. Works once. Raises TokenRefused."""
        subscriber, claim = self._bearer(token, Purpose.CONFIRM, now)
        if subscriber.state == SubscriberState.SUPPRESSED:
            raise refused("old_token")
        if not self.store.use_token(claim.token_hash, self._tokens.expires_at(claim) or now, now):
            raise refused("used_token")
        return self._still_there(self.store.set_state(subscriber.subscriber_id, SubscriberState.ACTIVE, now))

    def set_preferences(self, token: str, preferences: Preferences, now: datetime) -> Subscriber:
        """Replace what a subscriber wants, by a token for `manage`. Raises TokenRefused."""
        subscriber, _ = self._bearer(token, Purpose.MANAGE, now)
        return self._still_there(self.store.set_preferences(subscriber.subscriber_id, preferences, now))

    def unsubscribe(self, token: str, now: datetime) -> Subscriber | None:
        """End a subscription, and every link to its preferences. A second time is no failure. None: nothing is kept of them any more.

        Raises TokenRefused for what is no genuine token.
        """
        claim = self._tokens.read(token, Purpose.UNSUBSCRIBE, now)
        subscriber = self.store.get(claim.subscriber_id)
        if subscriber is None or subscriber.state in (SubscriberState.UNSUBSCRIBED, SubscriberState.SUPPRESSED):
            return subscriber
        return self.store.set_state(subscriber.subscriber_id, SubscriberState.UNSUBSCRIBED, now, end_links=True)

    def export(self, token: str, now: datetime) -> dict[str, Any]:
        """All that is kept about a subscriber, JSON-ready, by a token for `data`. Raises TokenRefused."""
        return self.everything(self._bearer(token, Purpose.DATA, now)[0])

    def delete(self, token: str, now: datetime) -> None:
        """Delete all that is kept about a subscriber, by a token for `data`; the ledger keeps days and states without a name.

        Raises TokenRefused.
        """
        self.erase(self._bearer(token, Purpose.DATA, now)[0], now)

    # By the operator, and by those above

    def enter(
        self,
        entries: Sequence[tuple[str, Preferences]],
        source: Literal["operator", "import"],
        *,
        now: datetime,
        dry_run: bool = False,
    ) -> tuple[int, int]:
        """Subscribe addresses (and Apprise URLs) that have said yes elsewhere; returns how many are new, and how many were there already.

        Who is there already stays as they are: an import never brings back who left. Who waits for confirmation is confirmed.
        Raises PermanentError `bad_address`, `bad_channel` before anything is written.
        """
        from top5.deliveries.apprise import check_url

        urls = [(address, wanted) for address, wanted in entries if "://" in address]
        mails = [(parse_address(address).addr_spec, wanted) for address, wanted in entries if "://" not in address]
        for url, _ in urls:
            check_url(url)
        if dry_run:
            known = sum(self.store.find(address) is not None for address, _ in [*urls, *mails])
            return len(entries) - known, known
        active = SubscriberState.ACTIVE
        new = sum(self.store.add(url, wanted, state=active, source=source, channel="apprise", now=now)[1] for url, wanted in urls)
        found, added = self.store.add_many(mails, state=active, source=source, now=now)
        for subscriber in found:
            if subscriber.state == SubscriberState.PENDING:
                self.store.set_state(subscriber.subscriber_id, active, now)
        return new + added, len(entries) - new - added

    def named(self, address: str) -> Subscriber:
        """The subscriber of an address as the operator writes it. Raises PermanentError `unknown_subscriber`."""
        found = self.store.find(address if "://" in address else parse_or_keep(address))
        if found is None:
            shown = mask_address(address) if "://" not in address else "That URL"
            raise PermanentError("unknown_subscriber", f"{shown} is no subscriber; `top5 subscribers list` shows who is.")
        return found

    def leave(self, subscriber: Subscriber, now: datetime) -> None:
        """End a subscription and its links."""
        self.store.set_state(subscriber.subscriber_id, SubscriberState.UNSUBSCRIBED, now, end_links=True)

    def release(self, address: str, now: datetime) -> bool:
        """Mail a suppressed address again; False where it was not suppressed. Its subscriber is active again."""
        spec = parse_or_keep(address)
        subscriber = self.store.find(spec, "mail")
        if subscriber is not None and subscriber.state == SubscriberState.SUPPRESSED:
            self.store.set_state(subscriber.subscriber_id, SubscriberState.ACTIVE, now)
        return self.store.release(spec)

    def everything(self, subscriber: Subscriber) -> dict[str, Any]:
        """All that is kept about a subscriber: `subscriber`, `deliveries`, `bounces`."""
        return {"subscriber": subscriber.model_dump(mode="json", exclude={"serial"}), **self.store.history(subscriber)}

    def erase(self, subscriber: Subscriber, now: datetime) -> None:
        """Delete a subscriber, their bounces and their mails in the outbox. An address of the settings is suppressed, or it would come back."""
        from top5.deliveries.outbox import erase

        if address_key(subscriber.address) in {address_key(parse_or_keep(item)) for item in self._settings.delivery.recipients}:
            self.store.suppress(subscriber.address, "deleted", now)
        self.store.forget(subscriber.subscriber_id)
        erase(self._settings.home / "outbox", subscriber.address)

    def links(self, subscriber: Subscriber, now: datetime) -> Links:
        """A subscriber's pages. Raises PermanentError `no_site_url` where the settings name no site."""
        base = self._site()

        def link(purpose: Purpose) -> str:
            return f"{base}/{purpose}/{self._tokens.make(purpose, subscriber.subscriber_id, subscriber.serial, now)}"

        return Links(link(Purpose.CONFIRM), link(Purpose.MANAGE), link(Purpose.DATA), link(Purpose.UNSUBSCRIBE))

    def _site(self) -> str:
        if self._settings.site.url is None:
            raise PermanentError("no_site_url", "site.url is not set; set it to the address where readers reach the site.")
        return self._settings.site.url

    def _let_through(self, spec: str, network: str, now: datetime) -> bool:
        """Count the request; False where its address has had its share of mails or is never mailed."""
        self._site()
        limits = self._settings.subscribers
        hour = timedelta(hours=1)
        if self.store.count_request(_counted("network", _network(network)), hour, now) > limits.per_network_per_hour:
            wait = 3600.0 - now.timestamp() % 3600
            raise RateLimited("rate_limited", "Too many requests from your network; try again in an hour.", retry_after=wait)
        asked = self.store.count_request(_counted("address", address_key(spec)), timedelta(days=1), now)
        return not self.store.suppressed([spec]) and asked <= limits.per_address_per_day

    def _bearer(self, token: str, purpose: Purpose, now: datetime) -> tuple[Subscriber, Claim]:
        claim = self._tokens.read(token, purpose, now)
        subscriber = self._still_there(self.store.get(claim.subscriber_id))
        if purpose == Purpose.CONFIRM and self.store.token_used(claim.token_hash):
            raise refused("used_token")
        if purpose != Purpose.UNSUBSCRIBE and claim.serial != subscriber.serial:
            raise refused("old_token")
        return subscriber, claim

    def _still_there(self, subscriber: Subscriber | None) -> Subscriber:
        if subscriber is None:
            raise refused("old_token")
        return subscriber

    def _outgoing(self, message: EmailMessage | None) -> Outgoing:
        return Outgoing(message, self._post)

    def _links_letter(self, subscriber: Subscriber, now: datetime) -> EmailMessage:
        links = self.links(subscriber, now)
        return letters.links(
            subscriber.address,
            sender=self._settings.delivery.sender,
            title=self._settings.digest.title,
            manage=links.manage if subscriber.state == SubscriberState.ACTIVE else None,
            data=links.data,
            now=now,
        )


def open_subscribers(settings: Settings, catalog: Catalog) -> Subscribers:
    """The service over a catalog, with the settings' keys and channel."""
    from top5.deliveries.post import post

    return Subscribers(settings, catalog, open_tokens(settings), lambda message: post(settings, message))


def parse_or_keep(text: str) -> str:
    """The address in a setting such as `Name <a@example.com>`, or the text itself where it is none."""
    try:
        return parse_address(text).addr_spec
    except PermanentError:
        return text


def _counted(kind: str, what: str) -> str:
    return hashlib.sha256(f"top5 {kind}\n{what}".encode()).hexdigest()


def _network(client: str) -> str:
    """The network that one client can be taken to own: IPv4 /24, IPv6 /56. What is no address shares one place."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 56), strict=False))
