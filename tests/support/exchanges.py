"""What a backend is asked, and who hears its answer."""

from sso_proxy.model import Caller
from sso_proxy.testing.fakes import make_request
from sso_proxy.upstream import Reply
from sso_proxy.upstream.request import Outgoing

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
CALLER = Caller(request=make_request(), identity=None, user="")


def outgoing(method: str = "GET", *, body: bool = False, upgrade: str = "") -> Outgoing:
    return Outgoing(
        head=method.encode() + b" / HTTP/1.1\r\n\r\n",
        method=method,
        caller=CALLER,
        replayable=method == "GET" and not body,
        upgrade=upgrade or None,
        upgrade_key=KEY if upgrade else "",
        bodyless=not body,
    )


class FakeExchange:
    """Keeps what it is told, and asserts that the order makes sense."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.status = 0
        self.body = b""
        self.reason = ""
        self.full = False
        self.switched: list[tuple[object, bytes]] = []

    @property
    def over(self) -> bool:
        return bool({"whole", "finish", "fail", "cut", "switch"} & set(self.said))

    def _say(self, what: str) -> None:
        assert not self.over, f"{what} after {self.said}"
        assert (what in {"relay", "finish", "cut"}) == ("begin" in self.said) or (
            what == "sendable"
        )
        self.said.append(what)

    def whole(self, reply: Reply, body: bytes) -> None:
        self._say("whole")
        self.status, self.body = reply.answer.status, body

    def begin(self, reply: Reply, body: bytes) -> None:
        self._say("begin")
        self.status, self.body = reply.answer.status, body

    def relay(self, body: bytes) -> None:
        self._say("relay")
        self.body += body

    def finish(self) -> None:
        self._say("finish")

    def fail(self, status: int, reason: str) -> None:
        self._say("fail")
        self.status, self.reason = status, reason

    def cut(self, reason: str) -> None:
        self._say("cut")
        self.reason = reason

    def switch(self, reply: Reply, stream: object, first: bytes) -> None:
        self._say("switch")
        self.status = reply.answer.status
        self.switched.append((stream, first))

    def sendable(self) -> None:
        self._say("sendable")
