"""The ``pubtkt`` authenticator: users with tickets, as for mod_auth_pubtkt."""

import hashlib
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple, Self

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.authn.pubtkt_config import PubtktConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IAuthenticator, IClock, ITools
from sso_proxy.model import (
    Authenticated,
    Headers,
    Identity,
    LoginRedirect,
    NotPresented,
    Outcome,
    Refusal,
    Rejected,
    Request,
    RequestHead,
)
from sso_proxy.net.client_auth_parts import read_file
from sso_proxy.specs.http.parameters import read_cookie
from sso_proxy.specs.pubtkt import (
    SHORTEST_COOKIE,
    Ticket,
    decode_cookie,
    decode_field,
    decrypt_bauth,
    verify,
)
from sso_proxy.specs.pubtkt_keys import (
    TicketError,
    VerifyingKey,
    read_verifying_key,
)
from sso_proxy.specs.ticket_return import add_argument, escape_return, return_url

_log = Logger()

_NOT_PRESENTED: Final = NotPresented()
_AGAIN: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that may be sent again to the login server; others have bodies."""
_FAKE_PASSWORD: Final = b":password"


class _Known(NamedTuple):
    """
    A ticket with a good signature.

    Attributes:
        ticket: What it says.
        outcome: Who that is.
    """

    ticket: Ticket
    outcome: Authenticated


class _Shown(NamedTuple):
    """
    A ticket as it was sent.

    Attributes:
        place: Where is kept what is known of it.
        text: The ticket, decoded; empty if it is known.
    """

    place: bytes
    text: bytes


@implementer(IAuthenticator)
class PubtktAuthenticator:
    """
    Believes the tickets of one key, and sends browsers for them like mod_auth_pubtkt.

    Tickets with good signatures are kept by key, digest and the ticket's own hash:
    what one key's authenticator knows is nothing to that of another.  All else is
    looked at each time, in the order of mod_auth_pubtkt.
    """

    config_class: ClassVar = PubtktConfig

    def __init__(
        self, config: PubtktConfig, name: str, clock: IClock, key: VerifyingKey
    ) -> None:
        self._config = config
        self._name = name
        self._clock = clock
        self._key = key
        # A cookie may stand in quotes, so that the same text is not the same ticket.
        begin = f"{key.id}:{key.digest}:"
        self._places = (f"{begin}field:".encode(), f"{begin}cookie:".encode())
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._headers = tuple(name.lower() for name in config.headers)
        self._wanted = config.wanted
        secret = config.passthru_basic_key
        self._secret = b"" if secret is None else secret.reveal().encode()
        self._keeps = config.client_authorization == "keep"
        self.consumes = self._consumed()

    @classmethod
    def from_config(cls, config: PubtktConfig, tools: ITools) -> Self:
        """
        Make the authenticator that *config* describes, and read its key.

        Raises:
            ConfigError: Options contradict each other, or the key cannot be used.
        """
        mistakes = [Mistake(option, why) for option, why in config.problems()]
        if mistakes:
            raise ConfigError(*mistakes)
        data = read_file(config.public_key, "public_key")
        try:
            key = read_verifying_key(data, config.digest)
        except ValueError as e:
            raise ConfigError(Mistake("public_key", str(e))) from None
        return cls(config, tools.name, tools.clock, key)

    async def authenticate(self, request: Request) -> Outcome:
        """Say who the ticket is of.  Never waits."""
        if self._config.require_ssl and request.head.scheme != "https":
            return self._send(request, self._config.login_url, "ticket-plain")
        refused: Outcome = _NOT_PRESENTED
        for shown, known in self._find(request.head):
            outcome = self._judge(shown, known, request)
            if isinstance(outcome, Authenticated):
                return outcome
            if refused is _NOT_PRESENTED:
                refused = outcome
        return refused

    def challenge(self, request: Request) -> LoginRedirect | None:
        """Send whoever has no ticket to the login server."""
        return self._redirect(request, self._config.login_url)

    def refusal(self, request: Request, refusal: Refusal) -> None:
        """Say nothing more than the status does."""

    def _consumed(self) -> tuple[str, ...]:
        config = self._config
        names = [name for name in self._headers if name != "cookie"]
        if "cookie" in self._headers:
            names.append(f"cookie:{config.cookie_name}")
        if config.sets_authorization and not self._keeps:
            names.append("authorization")
        return tuple(dict.fromkeys(names))

    def _find(self, head: RequestHead) -> Iterator[tuple[_Shown, _Known | None]]:
        """Give the tickets to look at, as far as they are wanted."""
        for name in self._headers:
            in_cookie = name == "cookie"
            found = 0
            for value in self._values(head, name):
                place = self._place_of(value, in_cookie=in_cookie)
                known = self._known.get(place)
                text = b""
                if known is None:
                    decoded = decode_cookie(value) if in_cookie else decode_field(value)
                    if decoded is None:
                        continue
                    text = decoded
                if known is not None or not in_cookie or len(text) >= SHORTEST_COOKIE:
                    found += 1
                    yield _Shown(place, text), known
                if not (in_cookie and self._config.every_cookie):
                    break
            if self._config.debug > 1:
                _log.info("Tickets in {field}: {count}", field=name, count=found)
            if found and not self._config.every_header:
                return

    def _values(self, head: RequestHead, name: str) -> list[str]:
        """Give what may be a ticket in the field *name*, without what is empty."""
        values = head.values(name)
        if name == "cookie":
            own = self._config.cookie_name
            values = [v for each in values for v in read_cookie(each, own)]
        return [value for value in values if value]

    def _place_of(self, value: str, *, in_cookie: bool) -> bytes:
        """Give where is kept what is known of a ticket as it was sent."""
        begin = self._places[in_cookie]
        return hashlib.sha256(begin + value.encode("latin-1")).digest()

    def _judge(
        self, shown: _Shown, known: _Known | None, request: Request
    ) -> Authenticated | Rejected:
        """Check a ticket."""
        try:
            ticket, outcome = known or self._verify(shown)
        except TicketError as e:
            return self._refuse(request, e)
        if known is not None:
            self._known.move_to_end(shown.place)
        now = int(self._clock.time())
        objection = self._objection(ticket, request, now)
        if objection is not None:
            url, reason = objection
            return self._send(request, url, reason)
        if ticket.grace_period and now > ticket.grace_period:
            outcome = attrs.evolve(outcome, until=0.0)  # GET is decided otherwise
        if self._keeps and outcome.backend and request.head.values("authorization"):
            return attrs.evolve(outcome, backend=())
        return outcome

    def _objection(
        self, ticket: Ticket, request: Request, now: int
    ) -> tuple[str | None, str] | None:
        """Say what is against a good ticket, in the order of mod_auth_pubtkt."""
        config = self._config
        login = config.login_url
        if ticket.cip and not _same_address(ticket.cip, request.client.address):
            url = config.bad_ip_url or login
            if url is not None:
                url = add_argument(url, "ip", request.client.address)
            return url, "ticket-address"
        if now > ticket.valid_until:
            return self._timeout_url(request), "ticket-expired"
        late = ticket.grace_period and now > ticket.grace_period
        if late and request.head.method == "GET":
            return config.refresh_url or login, "ticket-refresh"
        if config.require_multifactor and ticket.multifactor != "1":
            return config.multifactor_url or login, "ticket-multifactor"
        if self._wanted and self._wanted.isdisjoint(ticket.tokens):
            return config.unauth_url or login, "ticket-tokens"
        return None

    def _verify(self, shown: _Shown) -> _Known:
        """
        Read a ticket whose signature is good, and keep what it says.

        Raises:
            TicketError: It is none of this key, or none at all.
        """
        text = shown.text
        ticket = verify(text, self._key, encoding=self._config.encoding)
        outcome = Authenticated(
            self._identify(ticket, text),
            until=ticket.grace_period + 1.0 if ticket.grace_period else None,
            backend=self._credentials(ticket),
        )
        if self._config.debug:
            fields = attrs.asdict(ticket, filter=lambda _, value: bool(value))
            _log.info("New ticket with {fields}", fields=sorted(fields))
        known = self._known[shown.place] = _Known(ticket, outcome)
        if len(self._known) > self._config.cache_size:
            self._known.popitem(last=False)
        return known

    def _identify(self, ticket: Ticket, text: bytes) -> Identity:
        claims = {
            "uid": ticket.uid,
            "validuntil": ticket.valid_until,
            "tokens": list(ticket.tokens),
            "udata": ticket.udata,
            "multifactor": ticket.multifactor == "1",
        }
        if ticket.cip:
            claims["cip"] = ticket.cip
        if ticket.grace_period:
            claims["graceperiod"] = ticket.grace_period
        return Identity(
            issuer=self._config.issuer,
            subject=ticket.uid,
            authenticator=self._name,
            claims=MappingProxyType(claims),
            expires=ticket.valid_until + 1.0,  # it is good in that second, too
            token=text.decode("latin-1"),
            token_type="ticket",  # noqa: S106 - no secret
        )

    def _credentials(self, ticket: Ticket) -> Headers:
        """
        Give what the backend gets to know the user by.

        Raises:
            TicketError: ``bauth`` cannot be decrypted, or sent.
        """
        if self._config.passthru_basic and ticket.bauth:
            value = ticket.bauth
            if self._secret:
                value = b64encode(decrypt_bauth(value, self._secret)).decode("ascii")
            if not value.isascii() or not value.isprintable():
                raise TicketError("bauth cannot be sent", reason="ticket-bauth")
        elif self._config.fake_basic:
            if ":" in ticket.uid:  # what is before the first one would be the user
                raise TicketError("uid has a colon", reason="ticket-bauth")
            user = ticket.uid.encode(self._config.encoding)
            value = b64encode(user + _FAKE_PASSWORD).decode("ascii")
        else:
            return ()
        return (("Authorization", f"Basic {value}"),)

    def _timeout_url(self, request: Request) -> str | None:
        config = self._config
        url = config.timeout_url or config.login_url
        if request.head.method == "POST":
            return config.post_timeout_url or url
        return url

    def _refuse(self, request: Request, error: TicketError) -> Rejected:
        """Say why a ticket is none for us; another key may have signed it."""
        if error.reason in _NO_LOGIN_HELPS:
            return Rejected(status=500, reason=error.reason, detail=error.detail)
        return self._send(
            request,
            self._config.login_url,
            error.reason,
            error.detail,
            final=error.reason != "ticket-signature",
        )

    def _send(
        self,
        request: Request,
        url: str | None,
        reason: str,
        detail: str = "",
        *,
        final: bool = True,
    ) -> Rejected:
        """Send somebody to *url*; without one, refuse."""
        return Rejected(
            status=403,
            reason=reason,
            detail=detail,
            redirect=self._redirect(request, url),
            final=final,
        )

    def _redirect(self, request: Request, url: str | None) -> LoginRedirect | None:
        """
        Send a browser to *url*, with where it was.

        Not with 307 if it posted something: it would post that to the login server.
        """
        if url is None:
            return None
        back = escape_return(return_url(request.head, request.path_asked))
        status = 303
        if not request.minor:
            status = 302
        elif request.head.method in _AGAIN:
            status = 307
        location = add_argument(url, self._config.back_argument, back)
        return LoginRedirect(location, status, always=True)


_NO_LOGIN_HELPS: Final = frozenset({"ticket-bauth", "ticket-control"})
"""What the login server has signed and would sign again: to send browsers there would
send them in a circle."""


def _same_address(ticket: str, client: str) -> bool:
    """Compare addresses, not how they are written."""
    return ticket == client or _address(ticket) == (_address(client) or client)


def _address(text: str) -> object:
    """Read an address; None if *text* is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
