"""An SMTP server of its own process that takes everything: TLS from the first byte, PIPELINING, and a line per mail in a file.

python -m bench.smtp_sink FOLDER [SECONDS]: prints its port; FOLDER holds chain.pem and key.pem, and gets taken.txt (recipient,
Message-ID). Each answer comes so many seconds late, as from a server that is not next door.
"""

import asyncio
import os
import re
import ssl
import sys
from pathlib import Path

_ID = re.compile(rb"(?mi)^Message-ID:\s*(\S+)")


class Sink(asyncio.Protocol):
    """One connection. Replies to whole groups of commands at once, as servers do."""

    def __init__(self, log: int, delay: float) -> None:
        self.delay = delay
        self.log, self.buffer, self.in_text, self.recipient = log, bytearray(), False, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer every whole line and every whole text."""
        self.buffer += data
        replies: list[bytes] = []
        while True:
            if self.in_text:
                end = self.buffer.find(b"\r\n.\r\n")
                if end < 0:
                    break
                found = _ID.search(self.buffer, 0, min(end, 4000))
                os.write(self.log, self.recipient + b" " + (found[1] if found else b"-") + b"\n")
                del self.buffer[: end + 5]
                self.in_text = False
                replies.append(b"250 2.0.0 taken\r\n")
                continue
            end = self.buffer.find(b"\r\n")
            if end < 0:
                break
            line = bytes(self.buffer[:end])
            del self.buffer[: end + 2]
            replies.append(self._answer(line[:4].upper(), line))
        if replies:
            self._say(b"".join(replies))

    def _say(self, replies: bytes) -> None:
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self.transport.write, replies)
        else:
            self.transport.write(replies)

    def _answer(self, verb: bytes, line: bytes) -> bytes:
        if verb == b"EHLO":
            return b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
        if verb == b"RCPT":
            self.recipient = line[line.find(b"<") + 1 : line.find(b">")]
        if verb == b"DATA":
            self.in_text = True
            return b"354 go on\r\n"
        if verb == b"QUIT":
            self.transport.write(b"221 bye\r\n")
            self.transport.close()
        return b"250 2.0.0 ok\r\n"


async def serve(folder: Path, delay: float) -> None:
    """Serve until killed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    log = os.open(folder / "taken.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    server = await asyncio.get_running_loop().create_server(lambda: Sink(log, delay), "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0))
