"""The whole way to a real Postfix: STARTTLS, PIPELINING, several connections, its refusals, and what lies in the mailbox afterwards."""

import asyncio
from collections import Counter

import pytest

from tests.fakes.postfix import running_postfix
from tests.top5.deliveries.helpers import DAY, Clock, Home
from tests.top5.deliveries.test_day import rows
from tests.top5.digests import samples
from top5.catalog.store import Catalog
from top5.catalog.subscribers import SubscriberStore
from top5.deliveries.day import Wanted, deliver_day
from top5.digests.render import subject

pytestmark = pytest.mark.slow


def test_a_real_server_takes_each_mail_once(home: Home, clock: Clock, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = [f"r{number:02}@example.com" for number in range(40)]
    home.recipients = [*readers, "gone@example.com", "busy@example.com"]
    home.site = "https://top5.example"
    with running_postfix() as postfix:
        monkeypatch.setenv("SSL_CERT_FILE", str(postfix.certificate))
        settings = home.settings(smtp_host="127.0.0.1", smtp_port=postfix.port, smtp_security="starttls", connections=3)
        for _ in range(2):
            report = asyncio.run(
                deliver_day(DAY, settings, catalog, home.lake, now=clock.now, wanted=Wanted(), timing=clock.timing)
            )
        arrived = postfix.arrived(len(readers))
    assert (report.stopped, report.attempted) == (None, 0)
    assert Counter(str(message["To"]) for message in arrived) == Counter(readers)
    assert len({str(message["Message-ID"]) for message in arrived}) == len(readers)
    assert {str(message["Subject"]) for message in arrived} == {subject(samples.full())}
    assert all(message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click" and not message.defects for message in arrived)
    assert all(message["Return-Path"] == "<top5@example.org>" for message in arrived)
    assert all("TLSv1" in str(message["Received"]) for message in arrived)
    assert rows(home)["gone@example.com"] == ("failed", "smtp_550")
    assert rows(home)["busy@example.com"] == ("failed", "smtp_450")
    assert SubscriberStore(catalog).suppressed(["gone@example.com", "busy@example.com"]) == {"gone@example.com"}
