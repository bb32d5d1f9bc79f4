"""A loopback server that speaks HTTP/2 alone, over TLS, and remembers what it received like `loopback.Web`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from loopback import Received, Reply, Web

if TYPE_CHECKING:
    import asyncio


class H2Web(Web):
    """Answers with what was added; a reply's `raw`, `delay` and `drip` are not for HTTP/2."""

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65_536):
            for event in connection.receive_data(data):
                if isinstance(event, RequestReceived):
                    self._answer(connection, event)
            writer.write(connection.data_to_send())
            await writer.drain()
        return False

    def _answer(self, connection: H2Connection, event: RequestReceived) -> None:
        headers = {name.decode(): value.decode() for name, value in event.headers}
        host = headers[":authority"].rsplit(":", 1)[0]
        path = headers[":path"]
        received = Received(time.time_ns() // 1000, host, headers[":method"], path, headers)
        known = (host, path) in self.replies
        (self.received if known or path.startswith(("/p", "/robots")) else self.rights_received).append(
            received
        )
        reply = self.replies.get((host, path), self.default)
        assert isinstance(reply, Reply)
        answer = [(":status", str(reply.status)), *((name.lower(), value) for name, value in reply.headers)]
        connection.send_headers(event.stream_id, answer)
        connection.send_data(event.stream_id, reply.body, end_stream=True)
