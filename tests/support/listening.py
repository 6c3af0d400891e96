"""A listener on an ephemeral port, moved by hand."""

import socket
from typing import Any

from sso_proxy.edge.listener import Listener, ListenerRules
from sso_proxy.net.nest import Nest
from tests.support.doubles import HOST, Scene, answer_ok
from tests.support.sockets import new_nest, read_all, until

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


def answer_from(nest: Nest, client: socket.socket) -> bytes:
    """Give what comes first."""
    got = bytearray()

    def some() -> bool:
        got.extend(read_all(client))
        return bool(got)

    until(nest, some)
    return bytes(got)


class Place:
    """A listener on an ephemeral port."""

    def __init__(self, **rules: Any) -> None:  # noqa: ANN401
        self.scene = Scene()
        self.scene.backend.at_once = answer_ok
        self.site = self.scene.site
        self.site.connections.clear()
        self.nest = new_nest()
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.rules = ListenerRules(
            **{
                "rules": self.site.rules,
                "tls": None,
                "trusted": lambda _: False,
                "speaks_proxy": None,
                "handshake_timeout": 10.0,
                "connections": 100,
                "per_address": 50,
                **rules,
            }
        )
        self.listener = Listener(self.nest, self.sock, self.site, self.rules)
        self.listener.start()
        self.clients: list[socket.socket] = []

    def connect(self) -> socket.socket:
        client = socket.create_connection(self.sock.getsockname())
        client.setblocking(False)
        self.clients.append(client)
        return client

    def ask(self, client: socket.socket, data: bytes = GET) -> bytes:
        client.send(data)
        return answer_from(self.nest, client)

    def open(self) -> int:
        return len(self.site.connections)

    def close(self) -> None:
        self.site.abort()
        for client in self.clients:
            client.close()
        self.sock.close()
        self.nest.close()
