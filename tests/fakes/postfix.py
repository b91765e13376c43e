"""A real Postfix on a free loopback port, with TLS, in folders of its own; mails end in maildirs.

Belongs here: its configuration, starting and stopping. Needs root, as Postfix does, and the package postfix; skips with a reason.
"""

import mailbox
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

import pytest

from tests.fakes.certificate import make_certificate

REFUSED = {"gone@example.com": "550 5.1.1 no such user", "busy@example.com": "450 4.2.0 come back later"}

_MAIN = """
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = /dev/stdout
myhostname = mail.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
virtual_mailbox_domains = example.com
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_tls_security_level = may
smtpd_tls_cert_file = {root}/chain.pem
smtpd_tls_key_file = {root}/key.pem
smtpd_recipient_restrictions = check_recipient_access inline:{{ {refused} }}, reject_unauth_destination
smtpd_tls_received_header = yes
smtpd_peername_lookup = no
smtpd_client_connection_rate_limit = 0
"""

_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass
class Postfix:
    """A running server: `port`, the certificate to trust, and what has arrived."""

    root: Path
    port: int

    @property
    def certificate(self) -> Path:
        return self.root / "chain.pem"

    def arrived(self, number: int) -> list[EmailMessage]:
        """The mails that were delivered; waits until there are `number` of them, 20 s at most."""
        folder = self.root / "mail" / "all"
        until = time.monotonic() + 20
        while time.monotonic() < until and (not folder.is_dir() or len(list((folder / "new").iterdir())) < number):
            time.sleep(0.05)
        box = mailbox.Maildir(str(folder), create=False)
        parser = BytesParser(_class=EmailMessage, policy=default)
        return [parser.parsebytes(box.get_bytes(key)) for key in sorted(box.keys())]


@contextmanager
def running_postfix() -> Iterator[Postfix]:
    """A server for the length of the block."""
    program = shutil.which("postfix", path="/usr/sbin:/usr/bin")
    if program is None or os.geteuid() != 0:
        pytest.skip("no Postfix: install the package postfix and run the tests as root")
    root = Path(tempfile.mkdtemp(prefix="top5-postfix-"))
    root.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    make_certificate(root)
    owner = (root / "mail", root / "data", root / "queue", root / "conf")
    for folder in owner:
        folder.mkdir()
    for folder in owner[:2]:
        shutil.chown(folder, "postfix")
    info = (root / "mail").stat()
    refused = " ".join(f"{{ {address} = {answer} }}," for address, answer in REFUSED.items()).rstrip(",")
    (root / "conf" / "main.cf").write_text(
        _MAIN.format(root=root, uid=info.st_uid, gid=max(info.st_gid, 100), refused=refused).lstrip()
    )
    (root / "conf" / "master.cf").write_text(_MASTER.format(port=port).lstrip())
    with (root / "log").open("wb") as log:
        server = subprocess.Popen([program, "-c", root / "conf", "start-fg"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            else:
                pytest.fail(f"Postfix did not start: {(root / 'log').read_text()[-2000:]}")
            yield Postfix(root, port)
        finally:
            subprocess.run([program, "-c", root / "conf", "stop"], stdout=log, stderr=log, check=False, timeout=30)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            shutil.rmtree(root, ignore_errors=True)
