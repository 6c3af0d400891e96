"""One request as it goes to a backend."""

from collections.abc import Callable

from sso_proxy.model import Caller


class Outgoing:
    """
    One request as it goes to a backend.

    Nobody changes it; nothing sees to that, because that doubles what making it costs,
    and one is made for every request.

    Attributes:
        head: Request line, fields and the empty line.
        method: The method, on which an answer's framing depends.
        caller: Who calls, for backends inside this process.
        replayable: May be sent once more on another connection: idempotent, no body.
        upgrade: The protocol that the request asks to switch to, or None.
        upgrade_key: Its ``Sec-WebSocket-Key``, for WebSocket.
        bodyless: The request is complete with its head.
        renew: Makes the head anew, if it must not be sent twice as it is.
    """

    __slots__ = (
        "bodyless",
        "caller",
        "head",
        "method",
        "renew",
        "replayable",
        "upgrade",
        "upgrade_key",
    )

    def __init__(  # noqa: PLR0913
        self,
        *,
        head: bytes,
        method: str,
        caller: Caller,
        replayable: bool,
        upgrade: str | None = None,
        upgrade_key: str = "",
        bodyless: bool = True,
        renew: Callable[[], bytes] | None = None,
    ) -> None:
        self.head = head
        self.method = method
        self.caller = caller
        self.replayable = replayable
        self.upgrade = upgrade
        self.upgrade_key = upgrade_key
        self.bodyless = bodyless
        self.renew = renew

    def again(self) -> "Outgoing":
        """Give the request for another connection; what is good once is made anew."""
        if self.renew is None:
            return self
        return self._with(self.renew(), bodyless=self.bodyless, upgrade=self.upgrade)

    def begun(self, body: bytes, *, whole: bool) -> "Outgoing":
        """Give it with what has come of its *body* behind the head."""
        return self._with(self.head + body, bodyless=whole, upgrade=self.upgrade)

    def staying(self) -> "Outgoing":
        """Give it without what it asks to switch to."""
        return self._with(self.head, bodyless=self.bodyless, upgrade=None)

    def _with(self, head: bytes, *, bodyless: bool, upgrade: str | None) -> "Outgoing":
        return Outgoing(
            head=head,
            method=self.method,
            caller=self.caller,
            replayable=self.replayable,
            upgrade=upgrade,
            upgrade_key=self.upgrade_key,
            bodyless=bodyless,
            renew=self.renew,
        )
