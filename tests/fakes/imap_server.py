"""A real IMAP server over TLS for one mailbox, as much of RFC 3501 as a reader of bounces says.

Belongs here: speaking IMAP to clients under test, in a thread of its own.
"""

import re
import socketserver
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.fakes.certificate import make_certificate


class ImapServer:
    """`with ImapServer(folder, user, password, mails) as server`: then `server.port`; `folder` gets chain.pem. Mails start unseen."""

    def __init__(self, folder: Path, user: str, password: str, mails: Sequence[bytes]) -> None:
        self.user, self.password, self.mails = user, password, list(mails)
        self.seen: set[int] = set()
        chain, key = make_certificate(folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain, key)
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def setup(self) -> None:
                self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def handle(self) -> None:
                self.wfile.write(b"* OK ready\r\n")
                for line in self.rfile:
                    tag, _, rest = line.decode().strip().partition(" ")
                    self.wfile.write(outer.answer(tag, rest))
                    if rest.upper() == "LOGOUT":
                        return

            def finish(self) -> None:
                super().finish()
                self.request.close()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None: ...

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]

    def __enter__(self) -> "ImapServer":
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, tag: str, command: str) -> bytes:
        """What one command is answered with."""
        done, word = f"{tag} OK done\r\n".encode(), command.upper().split(" ")[0]
        if word == "CAPABILITY":
            return b"* CAPABILITY IMAP4rev1\r\n" + done
        if word == "LOGIN":
            given = [part.strip('"') for part in command.split(" ")[1:3]]
            return done if given == [self.user, self.password] else f"{tag} NO wrong\r\n".encode()
        if word == "SELECT":
            return f"* {len(self.mails)} EXISTS\r\n".encode() + done
        if word == "LOGOUT":
            return b"* BYE\r\n" + done
        if found := re.match(r"UID FETCH (\d+)", command, re.IGNORECASE):
            number = int(found[1])
            data = self.mails[number - 1]
            return f"* {number} FETCH (UID {number} BODY[]<0> {{{len(data)}}}\r\n".encode() + data + b")\r\n" + done
        if found := re.match(r"UID STORE (\d+)", command, re.IGNORECASE):
            self.seen.add(int(found[1]))
            return done
        if command.upper().startswith("UID SEARCH UNSEEN"):
            unseen = [str(number) for number in range(1, len(self.mails) + 1) if number not in self.seen]
            return f"* SEARCH {' '.join(unseen)}\r\n".encode() + done
        return f"{tag} BAD what\r\n".encode()
