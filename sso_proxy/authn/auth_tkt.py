"""The ``auth_tkt`` authenticator: users with tickets, as for mod_auth_tkt."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple, Self
from uuid import UUID, uuid4

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.authn.auth_tkt_answers import Answers
from sso_proxy.authn.auth_tkt_config import AuthTktConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IAuthenticator, IClock, ITools
from sso_proxy.model import (
    ANONYMOUS,
    Authenticated,
    HeaderChallenge,
    Headers,
    Identity,
    LoginRedirect,
    NotPresented,
    Outcome,
    Refusal,
    Rejected,
    Request,
)
from sso_proxy.specs.auth_tkt import (
    ANYWHERE,
    Ticket,
    decode_cookie,
    encode_cookie,
    sign,
    verify,
)
from sso_proxy.specs.http.parameters import read_cookie, read_parameter
from sso_proxy.specs.pubtkt_keys import TicketError

_log = Logger()

_NOT_PRESENTED: Final = NotPresented()
_NO_STORE: Final = ("cache-control", "no-store")
_UUID: Final = 36
_pattern = re.compile(r"%([0-9]*)U").search


class _Shown(NamedTuple):
    """
    What may be a ticket.

    Attributes:
        octets: The ticket, decoded; empty if it cannot be.
        in_url: It stood in the query.
    """

    octets: bytes
    in_url: bool


class _Good(NamedTuple):
    """
    A ticket with a good digest.

    Attributes:
        ticket: What it says.
        shown: How it was shown.
        old: It was made with the old secret.
    """

    ticket: Ticket
    shown: _Shown
    old: bool


@implementer(IAuthenticator)
class AuthTktAuthenticator:
    """
    Believes the tickets of who shares a secret, and gives new ones, as mod_auth_tkt.

    Nothing is kept of tickets: a digest is made faster than a signature is checked.
    """

    config_class: ClassVar = AuthTktConfig

    def __init__(
        self,
        config: AuthTktConfig,
        name: str,
        clock: IClock,
        new_id: Callable[[], UUID] = uuid4,
    ) -> None:
        self._config = config
        self._name = name
        self._clock = clock
        self._new_id = new_id
        self._keys = config.keys()
        self._wanted = config.wanted
        self._answers = Answers(config)
        self._guest_varies = _pattern(config.guest_user) is not None
        self.reads_query = config.url_ticket != "off"
        self.consumes: tuple[str, ...] = (f"cookie:{config.cookie_name}",)
        if self.reads_query:
            self.consumes += (f"?{config.cookie_name}",)

    @classmethod
    def from_config(cls, config: AuthTktConfig, tools: ITools) -> Self:
        """
        Make the authenticator that *config* describes.

        Raises:
            ConfigError: Options contradict each other, or a secret is too short.
        """
        mistakes = [Mistake(option, why) for option, why in config.problems()]
        if mistakes:
            raise ConfigError(*mistakes)
        return cls(config, tools.name, tools.clock)

    async def authenticate(self, request: Request) -> Outcome:
        """
        Say who the ticket is of.  Never waits.

        Raises:
            BadMessageError: 400: the query can be read in two ways.
        """
        if self._config.require_ssl and request.head.scheme != "https":
            return self._send(request, self._config.login_url, "ticket-plain")
        bad: Rejected | None = None
        late: Rejected | None = None
        for shown in self._find(request):
            try:
                good = self._verify(shown, request)
            except TicketError as e:
                bad = bad or self._refuse(request, e)
                continue
            outcome = self._judge(good, request)
            if isinstance(outcome, Authenticated) or not self._config.every_cookie:
                return outcome
            late = late or outcome
        if late is None and self._config.guest_login:
            return self._welcome(request)
        return late or bad or _NOT_PRESENTED

    def challenge(self, request: Request) -> LoginRedirect | None:
        """Send whoever has no ticket to the login server."""
        return self._answers.redirect(request, self._config.login_url)

    def refusal(self, request: Request, refusal: Refusal) -> None:
        """Say nothing more than the status does."""

    def _find(self, request: Request) -> Iterator[_Shown]:
        """
        Give what may be tickets, as far as they are wanted: the query's goes first.

        Raises:
            BadMessageError: 400: the query can be read in two ways.
        """
        name, head = self._config.cookie_name, request.head
        if self.reads_query:
            texts = read_parameter(head.query, name)
            if len(texts) == 1 and texts[0]:
                text = texts[0]
                if "!" not in text:  # the "+" of base64, which may come as it is
                    text = text.replace(" ", "+")
                yield _Shown(decode_cookie(text) or b"", in_url=True)
        for field in head.values("cookie"):
            for value in read_cookie(field, name):
                if value:  # such as after a logout that leaves it empty
                    yield _Shown(decode_cookie(value) or b"", in_url=False)
                    if not self._config.every_cookie:
                        return

    def _verify(self, shown: _Shown, request: Request) -> _Good:
        """
        Read a ticket whose digest is good.

        Raises:
            TicketError: It is nobody's with whom we share a secret.
        """
        ip = ANYWHERE if self._config.ignore_ip else request.client.address
        *others, last = self._keys
        for key in others:
            try:
                ticket = verify(shown.octets, key, ip=ip)
            except TicketError as e:
                if e.reason != "ticket-signature":
                    raise
            else:
                return _Good(ticket, shown, old=False)
        return _Good(verify(shown.octets, last, ip=ip), shown, old=bool(others))

    def _judge(self, good: _Good, request: Request) -> Authenticated | Rejected:
        """Look at a good ticket as mod_auth_tkt does: its time, then its tokens."""
        config, ticket = self._config, good.ticket
        now = self._clock.time()
        if ticket.timestamp > now + config.leeway:
            # It would be good for longer than any ticket should be.
            return self._send(request, config.login_url, "ticket-early")
        if config.timeout and ticket.timestamp + config.timeout < int(now):
            # A link with one of these must take nothing from who follows it.
            taken = () if good.shown.in_url else self._answers.take(request)
            if config.guest_login and config.guest_fallback:
                return self._welcome(request, taken)
            return self._time_out(request, taken)
        if self._wanted and self._wanted.isdisjoint(ticket.tokens):
            return self._lack_tokens(request)
        if config.debug:
            fields = attrs.asdict(ticket, filter=lambda _, value: bool(value))
            _log.info("Ticket with {fields}", fields=sorted(fields))
        identity = self._identify(ticket, good.shown.octets)
        headers, until = self._renew(good, request, int(now))
        return Authenticated(identity, until=until, headers=headers)

    def _renew(
        self, good: _Good, request: Request, now: int
    ) -> tuple[Headers, float | None]:
        """Give the fields with which the browser gets a ticket, and when it is next."""
        config, ticket = self._config, good.ticket
        if good.shown.in_url and config.url_ticket == "once":
            return (), 0.0  # nor the old secret's, nor a late one's: a link made it
        end = ticket.timestamp + config.timeout
        renewed = end - config.timeout_refresh * config.timeout
        renews = bool(config.timeout and config.timeout_refresh)
        if good.old or (renews and now > renewed):
            return self._give(attrs.evolve(ticket, timestamp=now), request), 0.0
        if good.shown.in_url and config.url_ticket == "cookie":
            value = b64encode(good.shown.octets).decode("ascii")
            return (*self._answers.give(request, value), _NO_STORE), 0.0
        return (), int(renewed) + 1.0 if renews else None

    def _give(self, ticket: Ticket, request: Request) -> Headers:
        """Give the browser a ticket; none if none can be made for it."""
        ip = ANYWHERE if self._config.ignore_ip else request.client.address
        try:
            text = sign(ticket, self._keys[0], ip=ip)
        except TicketError as e:  # such as for who comes over a unix socket
            _log.warn(
                "Request {id}: no new ticket: it {why}", id=request.id, why=e.detail
            )
            return ()
        value = encode_cookie(text, encoding=self._config.encoding)
        return (*self._answers.give(request, value), _NO_STORE)

    def _identify(self, ticket: Ticket, octets: bytes) -> Identity:
        timeout = self._config.timeout
        claims: dict[str, object] = {
            "uid": ticket.uid,
            "timestamp": ticket.timestamp,
            "tokens": list(ticket.tokens),
            "udata": ticket.udata,
        }
        if timeout:
            claims["validuntil"] = int(ticket.timestamp + timeout)
        return Identity(
            issuer=self._config.issuer,
            subject=ticket.uid,
            authenticator=self._name,
            claims=MappingProxyType(claims),
            # It is good in that second, too.
            expires=ticket.timestamp + timeout + 1.0 if timeout else None,
            token=octets.decode(self._config.encoding),
            token_type="ticket",  # noqa: S106 - no secret
        )

    def _welcome(
        self, request: Request, taken: Headers = ()
    ) -> Authenticated | Rejected:
        """Let a guest in, and perhaps take an old ticket away."""
        if self._wanted:
            return self._lack_tokens(request)
        config = self._config
        if config.guest_empty:
            nobody = Identity(
                issuer=ANONYMOUS, subject="anonymous", authenticator=self._name
            )
            return Authenticated(nobody, until=0.0 if taken else None, headers=taken)
        uid = config.guest_user
        if pattern := _pattern(uid):
            number = str(self._new_id())[: int(pattern[1] or 0) or _UUID]
            uid = uid[: pattern.start()] + number + uid[pattern.end() :]
        guest = Ticket(uid=uid, timestamp=int(self._clock.time()))
        identity = Identity(
            issuer=config.issuer,
            subject=uid,
            authenticator=self._name,
            claims=MappingProxyType({"uid": uid, "tokens": [], "udata": ""}),
        )
        headers = (self._give(guest, request) if config.guest_cookie else ()) or taken
        once = headers or self._guest_varies
        return Authenticated(identity, until=0.0 if once else None, headers=headers)

    def _time_out(self, request: Request, taken: Headers) -> Rejected:
        config = self._config
        url = config.timeout_url or config.login_url
        if request.head.method == "POST":
            url = config.post_timeout_url or url
        return self._send(request, url, "ticket-expired", taken)

    def _lack_tokens(self, request: Request) -> Rejected:
        config = self._config
        return self._send(
            request, config.unauth_url or config.login_url, "ticket-tokens"
        )

    def _refuse(self, request: Request, error: TicketError) -> Rejected:
        """Say why a ticket is none for us; it may be good where secrets are others."""
        if error.reason in _NO_LOGIN_HELPS:
            return Rejected(status=500, reason=error.reason, detail=error.detail)
        return attrs.evolve(
            self._send(request, self._config.login_url, error.reason),
            detail=error.detail,
            final=error.reason not in _NOT_OURS,
        )

    def _send(
        self, request: Request, url: str | None, reason: str, cookies: Headers = ()
    ) -> Rejected:
        """Send somebody to *url*; without one, refuse."""
        redirect = self._answers.redirect(request, url, cookies)
        told = HeaderChallenge((), cookies) if redirect is None and cookies else None
        return Rejected(status=403, reason=reason, redirect=redirect, challenge=told)


_NO_LOGIN_HELPS: Final = frozenset({"ticket-control"})
"""What the login server has signed and would sign again: to send browsers there would
send them in a circle."""
_NOT_OURS: Final = frozenset({"ticket-signature", "ticket-address", "ticket-long"})
"""What another secret may have made."""
