"""
The line between the main process and a worker: JSON objects, one a line, both ways.

The main process asks with ``{"id": 7, "ask": "ready", "with": …}`` and is answered
with ``{"id": 7, "is": …}``, or ``{"id": 7, "mistakes": [[path, problem], …]}`` if a
configuration cannot be used, or ``{"id": 7, "failed": "why"}``.

Unasked, the main process tells ``{"config": …, "revocations": […]}``, once and first; a
worker tells ``{"log": …}``, and of its start either ``{"ready": true}`` or
``{"broken": "why"}``.
"""

import base64
import json
import pickle
import socket
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sso_proxy.config.model import Config
from sso_proxy.errors import ConfigError, Mistake, SsoProxyError

_log = Logger()

Message: TypeAlias = dict[str, Any]
Answerer: TypeAlias = Callable[[str, Any], Coroutine[Any, Any, Any]]


class OtherEndError(SsoProxyError):
    """The process at the other end gives no answer."""


class RefusedError(OtherEndError):
    """The process at the other end could not do what it was asked."""


def encode(message: Message) -> bytes:
    """Give the line for *message*."""
    return json.dumps(message).encode() + b"\n"


def pack_config(config: Config) -> str:
    """
    Give *config* as text for a worker.

    Workers get the value and not the file's name: a worker that takes another's place
    serves what the others serve, whatever has become of the file since.
    """
    return base64.b64encode(pickle.dumps(config)).decode()


def unpack_config(text: str) -> Config:
    """Read what `pack_config` wrote; *text* comes from the main process only."""
    config: Config = pickle.loads(base64.b64decode(text))  # noqa: S301
    return config


@implementer(IPushProducer)
class Control(Protocol):
    """
    One end of the line.

    Attributes:
        is_open: Whether the other end can be told something.
        full: Whether the other end does not keep up; what may be lost should then not
            be told.
    """

    def __init__(
        self,
        told: Callable[[Message], None],
        lost: Callable[[], None],
        answer: Answerer | None = None,
    ) -> None:
        self.full = False
        self._told = told
        self._lost = lost
        self._answer = answer
        self._rest = b""
        self._ids = count(1)
        self._line: Any = None
        self._asked: dict[int, Deferred[Any]] = {}
        self.is_open = False

    def attach(self, reactor: Any, sock: socket.socket) -> None:  # noqa: ANN401
        """Let *reactor* watch *sock*, which is connected; closes the object given."""
        sock.setblocking(False)
        factory = Factory.forProtocol(lambda: self)
        factory.noisy = False
        reactor.adoptStreamConnection(sock.fileno(), socket.AF_UNIX, factory)
        sock.close()

    def tell(self, message: Message) -> None:
        """Send *message*; nothing happens if nobody is there any more."""
        if self.is_open:
            self._line.write(encode(message))

    async def ask(self, what: str, argument: object = None) -> Any:  # noqa: ANN401
        """
        Ask the other end.

        Raises:
            ConfigError: That it was to use cannot be used.
            RefusedError: It failed otherwise.
            OtherEndError: It is gone.
        """
        if not self.is_open:
            raise OtherEndError("it is not running")
        number = next(self._ids)
        waiting: Deferred[Any] = Deferred()
        self._asked[number] = waiting
        self.tell({"id": number, "ask": what, "with": argument})
        try:
            return await waiting
        finally:
            self._asked.pop(number, None)

    def close(self) -> None:
        """Send what waits to be sent, then hang up."""
        if self.is_open:
            self._line.unregisterProducer()
            self._line.loseConnection()

    def connectionMade(self) -> None:
        """Begin."""
        self.is_open = True
        self._line = self.transport
        self._line.registerProducer(self, streaming=True)

    def dataReceived(self, data: bytes) -> None:
        """Handle each message that is complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "ask" in message:
                Deferred.fromCoroutine(self._reply(message))
            elif "id" in message:
                self._settle(message)
            else:
                self._told(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        """Let nobody wait for an answer that cannot come."""
        self.is_open = False
        for waiting in list(self._asked.values()):
            waiting.errback(OtherEndError("it ended before it answered"))
        self._lost()

    def pauseProducing(self) -> None:
        """Hold back what may be lost."""
        self.full = True

    def resumeProducing(self) -> None:
        """Go on."""
        self.full = False

    def stopProducing(self) -> None:
        """Hold back what may be lost, for good."""
        self.full = True

    async def _reply(self, message: Message) -> None:
        reply: Message = {"id": message["id"]}
        try:
            if self._answer is None:
                raise RefusedError("nobody answers here")  # noqa: TRY301
            reply["is"] = await self._answer(message["ask"], message["with"])
        except ConfigError as e:
            reply["mistakes"] = [[m.path, m.problem] for m in e.mistakes]
        except SsoProxyError as e:
            reply["failed"] = str(e)
        except Exception as e:  # noqa: BLE001
            _log.failure("cannot {what}", what=message["ask"])
            reply["failed"] = f"{type(e).__name__}: {e}"
        self.tell(reply)

    def _settle(self, message: Message) -> None:
        waiting = self._asked.pop(message["id"], None)
        if waiting is None:  # the asker gave up
            return
        if "mistakes" in message:
            waiting.errback(ConfigError(*(Mistake(*m) for m in message["mistakes"])))
        elif "failed" in message:
            waiting.errback(RefusedError(message["failed"]))
        else:
            waiting.callback(message.get("is"))
