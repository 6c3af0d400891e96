"""Clients that break off: RST in the middle of whatever they were about."""

import random
import socket
import ssl
import threading
import time
from collections import Counter

import attrs

from tests.bench.client import Client, context_for, request, reset
from tests.bench.material import MIB, Material

_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""The begin of a TLS record with a ClientHello that never ends."""


@attrs.define
class Aborter:
    """
    Breaks off one connection after another until it is stopped, and counts.

    Attributes:
        caused: How many of each kind were broken off.
        failures: How many could not even be begun, of each kind.
    """

    _port: int
    _things: Material
    _pause: float = 0.05
    caused: Counter[str] = attrs.field(factory=Counter, init=False)
    failures: Counter[str] = attrs.field(factory=Counter, init=False)
    _stopped: threading.Event = attrs.field(factory=threading.Event, init=False)
    _random: random.Random = attrs.field(init=False, factory=lambda: random.Random(7))

    def run(self) -> None:
        """Break off connections until `stop`; for a thread."""
        context = context_for(self._things)
        acts = (
            self._in_handshake,
            self._in_head,
            self._while_waiting,
            self._in_download,
            self._in_upload,
            self._when_idle,
        )
        while not self._stopped.wait(self._pause):
            act = self._random.choice(acts)
            kind = act.__name__.removeprefix("_")
            try:
                act(context)
                self.caused[kind] += 1
            except OSError as error:
                self.failures[f"{kind}: {type(error).__name__}"] += 1

    def stop(self) -> None:
        """Let `run` return."""
        self._stopped.set()

    def _client(self, context: ssl.SSLContext) -> Client:
        return Client.connect(self._port, context)

    def _in_handshake(self, _: ssl.SSLContext) -> None:
        raw = socket.create_connection(("127.0.0.1", self._port), 10.0)
        raw.sendall(_HELLO)
        time.sleep(0.01)
        reset(raw)

    def _in_head(self, context: ssl.SSLContext) -> None:
        client = self._client(context)
        client.send(request("/1k")[:200])
        client.reset()

    def _while_waiting(self, context: ssl.SSLContext) -> None:
        client = self._client(context)
        client.send(request("/1k"))
        client.reset()

    def _in_download(self, context: ssl.SSLContext) -> None:
        client = self._client(context)
        client.send(request("/10m"))
        client.read_some()
        client.reset()

    def _in_upload(self, context: ssl.SSLContext) -> None:
        client = self._client(context)
        client.send(request("/upload", method="POST", length=10 * MIB))
        client.send_zeros(MIB)
        client.reset()

    def _when_idle(self, context: ssl.SSLContext) -> None:
        self._client(context).reset()
