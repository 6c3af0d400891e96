"""One connection to a directory (RFC 4511): bounded, verified, one bind."""

from collections.abc import Sequence
from typing import Any, Final

import attrs
from ldaptor.protocols import pureldap
from ldaptor.protocols.pureber import (
    CLASS_CONTEXT,
    BERDecoderContext,
    BERInteger,
    BEROctetString,
    BERSequence,
    berDecodeObject,
)
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from sso_proxy.net.ldap_values import (
    SIZE_LIMIT,
    SUCCESS,
    Entry,
    Result,
    Search,
    meaning,
    no_reply,
)
from sso_proxy.net.ldap_wire import check_message, message_length
from sso_proxy.net.no_reply import NoReplyError, Trouble, describe
from sso_proxy.specs.ldap import (
    ANYTHING,
    AllOf,
    AnyOf,
    Equal,
    Filter,
    Matching,
    NoneOf,
    Present,
)

_SCOPES: Final = {"base": 0, "one": 1, "subtree": 2}
_GOODBYE: Final = 1.0
"""Seconds for the end of TLS."""
_NOTHING: Final = "1.1"
"""No attributes (RFC 4511 section 4.5.1.8)."""
_MOST_OF_AN_ANSWER: Final = 2**22
"""Octets of all entries that answer one search."""
_PARTS: Final = pureldap.LDAPBERDecoderContext(fallback=BERDecoderContext())
_CONTEXT: Final = pureldap.LDAPBERDecoderContext_TopLevel(
    inherit=pureldap.LDAPBERDecoderContext_LDAPMessage(fallback=_PARTS, inherit=_PARTS)
)


@attrs.define
class _Asked:
    """An operation that has not ended."""

    waiting: "Deferred[Result]"
    ends: type[Any]
    most: int = 0
    octets: int = 0
    entries: list[Entry] = attrs.field(factory=list)


@implementer(IHandshakeListener)
class LdapLink(Protocol):
    """
    A connection.

    Whatever is wrong with it ends it, and everything that waits with it.

    Args:
        name: Of the server, for messages.
        reactor: Measures time.
        timeout: Seconds for an answer.

    Attributes:
        heard: When the server was last heard, in the reactor's seconds.
        served: Whether it has answered since somebody got the link.
    """

    transport: Any

    def __init__(self, name: str, reactor: Any, timeout: float) -> None:  # noqa: ANN401
        self.name = name
        self.heard = 0.0
        self.served = False
        self._reactor = reactor
        self._timeout = timeout
        self._buffer = bytearray()
        self._asked: dict[int, _Asked] = {}
        self._last = 0
        self._lost: NoReplyError | None = None
        self._is_secure = False
        self._securing: Deferred[None] | None = None
        self._leaving: Any = None

    @property
    def is_usable(self) -> bool:
        """Whether something may be asked."""
        return self._lost is None

    @property
    def waiting(self) -> int:
        """How many operations have not ended."""
        return len(self._asked)

    def close(self) -> None:
        """Say goodbye; whatever waits fails."""
        if self._lost is None and self.connected:
            self._write(self._next_id(), pureldap.LDAPUnbindRequest())
            self.transport.loseConnection()
            # Nobody waits for a server that does not say goodbye.
            abort = self.transport.abortConnection
            self._leaving = self._reactor.callLater(_GOODBYE, abort)
        self._end("closed by us", Trouble.UNREACHABLE)

    async def search(self, search: Search) -> Result:
        """
        Search; the result may have a code that is no success.

        Raises:
            NoReplyError: There is no answer that can be read.
        """
        request = pureldap.LDAPSearchRequest(
            baseObject=search.base.encode(),
            scope=_SCOPES[search.scope],
            derefAliases=pureldap.LDAP_DEREF_neverDerefAliases,
            sizeLimit=search.most,
            timeLimit=max(1, int(self._timeout)),
            filter=_filter(search.filter),
            attributes=[each.encode() for each in search.attributes or (_NOTHING,)],
        )
        return await self._ask(request, pureldap.LDAPSearchResultDone, search.most)

    async def bind(self, name: str, password: str) -> int:
        """
        Prove who we are, or somebody else is, by a password; gives the result code.

        Raises:
            ValueError: One of both is empty: such a bind succeeds, and proves nothing
                (RFC 4513 sections 5.1.1 and 5.1.2).
            NoReplyError: There is no answer.
        """
        if not name or not password:
            raise ValueError("a bind needs a name and a password")
        request = pureldap.LDAPBindRequest(dn=name.encode(), auth=password.encode())
        return (await self._ask(request, pureldap.LDAPBindResponse)).code

    async def bind_by_certificate(self) -> int:
        """Be known by our certificate (SASL EXTERNAL); gives the result code."""
        # With credentials, if empty ones: without any, servers ask for them.
        credentials = [BEROctetString(b"EXTERNAL"), BEROctetString(b"")]
        sasl = BERSequence(credentials, tag=CLASS_CONTEXT | 3)
        version, nobody = BERInteger(3), BEROctetString(b"")
        request = BERSequence([version, nobody, sasl], tag=pureldap.LDAPBindRequest.tag)
        return (await self._ask(request, pureldap.LDAPBindResponse)).code

    async def start_tls(self, options: Any) -> None:  # noqa: ANN401
        """
        Go on with TLS (RFC 4511 section 4.14), as *options* say.

        Raises:
            NoReplyError: That does not work.
        """
        request = pureldap.LDAPStartTLSRequest()
        result = await self._ask(request, pureldap.LDAPExtendedResponse)
        if result.code != SUCCESS:
            problem = f"refuses StartTLS: {meaning(result.code)}"
            raise self._fail(problem, Trouble.UNREACHABLE)
        if self._buffer:
            # Sent by somebody before there was a key: it would be taken for an answer
            # of the server that is verified afterwards.
            raise self._fail("speaks before TLS has begun", Trouble.GARBLED)
        self.transport.startTLS(options)
        await self.secured()

    async def secured(self) -> None:
        """Wait until the server has proved who it is."""
        if self._lost is not None:
            raise attrs.evolve(self._lost)
        if not self._is_secure:
            self._securing = Deferred()
            await self._securing

    def handshakeCompleted(self) -> None:  # noqa: N802 - Twisted's
        """Go on, unless the certificate is for somebody else."""
        if self._lost is not None or self.transport.disconnecting:
            return
        self._is_secure = True
        if self._securing is not None:
            self._securing.callback(None)

    def dataReceived(self, data: bytes) -> None:
        """Take in what the server says."""
        if self._lost is not None:
            return
        self.heard = self._reactor.seconds()
        self._buffer += data
        try:
            while self._lost is None and (size := message_length(self._buffer)):
                if size > len(self._buffer):
                    return
                message = bytes(self._buffer[:size])
                del self._buffer[:size]
                self._take(message)
        except Exception as e:  # noqa: BLE001 - whatever a stranger's octets lead to
            self._fail(
                f"sends what cannot be read: {type(e).__name__}", Trouble.GARBLED
            )

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell everybody."""
        if self._leaving is not None and self._leaving.active():
            self._leaving.cancel()
        cause = reason.value or ConnectionLost()
        problem, trouble = describe(cause, self._timeout)
        if trouble is Trouble.GARBLED:  # it ended before the answer, and that is all
            trouble = Trouble.UNREACHABLE
        self._end(problem, trouble)

    def _take(self, message: bytes) -> None:
        check_message(message)
        decoded, _ = berDecodeObject(_CONTEXT, message)
        number, value = decoded.id, decoded.value
        if number == 0:
            # Notice of disconnection (RFC 4511 section 4.4.1), the only one there is.
            self._fail("takes its leave", Trouble.UNREACHABLE)
            return
        asked = self._asked.get(number)
        if asked is None:
            self._fail("answers what nobody asked", Trouble.GARBLED)
            return
        asked.octets += len(message)
        if asked.octets > _MOST_OF_AN_ANSWER:
            self._fail("has an answer that is too long", Trouble.GARBLED)
        elif isinstance(value, asked.ends):
            self._finish(number, asked, value.resultCode)
        elif not asked.most:
            self._fail("answers something else", Trouble.GARBLED)
        elif isinstance(value, pureldap.LDAPSearchResultEntry):
            self._add(number, asked, value)
        elif not isinstance(value, pureldap.LDAPSearchResultReference):
            self._fail("answers something else", Trouble.GARBLED)

    def _add(self, number: int, asked: _Asked, value: Any) -> None:  # noqa: ANN401
        """Take an entry; one too many ends the search, and the connection."""
        if len(asked.entries) >= asked.most:
            self._finish(number, asked, SIZE_LIMIT)
            self._fail("does not end its answer", Trouble.GARBLED)
            return
        asked.entries.append(_entry(value))

    def _finish(self, number: int, asked: _Asked, code: int) -> None:
        self.served = True
        del self._asked[number]
        asked.waiting.callback(Result(code, tuple(asked.entries)))

    async def _ask(self, request: Any, ends: type[Any], most: int = 0) -> Result:  # noqa: ANN401
        if self._lost is not None:
            raise attrs.evolve(self._lost)
        number = self._next_id()
        waiting: Deferred[Result] = Deferred()
        self._asked[number] = _Asked(waiting, ends, most)
        self._write(number, request)
        within = self._reactor.callLater(self._timeout, self._overdue)
        try:
            return await waiting
        except CancelledError:
            # Its answer may come still; nobody would know what it is.
            self._asked.pop(number, None)
            self._fail("was left alone by who asked", Trouble.UNREACHABLE)
            raise
        finally:
            if within.active():
                within.cancel()

    def _next_id(self) -> int:
        self._last = self._last % (2**31 - 1) + 1
        return self._last

    def _write(self, number: int, request: Any) -> None:  # noqa: ANN401
        message = pureldap.LDAPMessage(request, id=number)
        self.transport.write(message.toWire())

    def _overdue(self) -> None:
        self._fail(f"no answer in {self._timeout:g} s", Trouble.TIMEOUT)

    def _fail(self, problem: str, trouble: Trouble) -> NoReplyError:
        """End the connection."""
        if self._lost is None and self.connected:
            self.transport.abortConnection()
        return self._end(problem, trouble)

    def _end(self, problem: str, trouble: Trouble) -> NoReplyError:
        """Tell everybody, once."""
        if self._lost is not None:
            return attrs.evolve(self._lost)
        self._lost = no_reply(self.name, problem, trouble)
        self._buffer.clear()
        asked, self._asked = self._asked, {}
        for each in asked.values():
            each.waiting.errback(attrs.evolve(self._lost))
        if self._securing is not None and not self._is_secure:
            self._securing.errback(attrs.evolve(self._lost))
        return attrs.evolve(self._lost)


def _entry(value: Any) -> Entry:  # noqa: ANN401
    """Read an entry; a name that is no text is nobody's."""
    values = {
        name.decode("ascii").lower(): tuple(map(bytes, octets))
        for name, octets in value.attributes
    }
    return Entry(value.objectName.decode(), values)


def _filter(wanted: Filter) -> Any:  # noqa: ANN401
    """Give what ldaptor sends; each value is one octet string, whatever is in it."""
    match wanted:
        case Present(attribute):
            return pureldap.LDAPFilter_present(attribute.encode())
        case Equal(attribute, value):
            return pureldap.LDAPFilter_equalityMatch(
                attributeDesc=pureldap.LDAPAttributeDescription(attribute.encode()),
                assertionValue=pureldap.LDAPAssertionValue(value.encode()),
            )
        case Matching(attribute, rule, value):
            return pureldap.LDAPFilter_extensibleMatch(
                matchingRule=rule.encode(),
                type=attribute.encode(),
                matchValue=value.encode(),
            )
        case AllOf(parts):
            return (
                pureldap.LDAPFilter_and(_filters(parts)) if parts else _filter(ANYTHING)
            )
        case AnyOf(parts):
            return pureldap.LDAPFilter_or(_filters(parts))
        case NoneOf(part):
            return pureldap.LDAPFilter_not(_filter(part))


def _filters(parts: Sequence[Filter]) -> list[Any]:
    return [_filter(part) for part in parts]
