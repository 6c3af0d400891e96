"""The ``auth_tkt`` authenticator's part of the configuration file."""

import re
from collections.abc import Iterator
from typing import Literal

import attrs
from attrs.validators import optional

from sso_proxy.authn.pubtkt_config import NO_TOKEN
from sso_proxy.authn.ticket_checks import check_argument, check_cookie, check_place
from sso_proxy.config.checks import Attribute, between, non_empty
from sso_proxy.config.secrets import Secret
from sso_proxy.specs.auth_tkt import (
    DIGESTS,
    SHORTEST_SECRET,
    Digest,
    IPv6Form,
    TicketEncoding,
    TicketKey,
    UserForm,
)
from sso_proxy.specs.http.cookies import SameSite
from sso_proxy.specs.user_name import is_safe_user_name

UrlTicket = Literal["off", "once", "cookie"]
Separator = Literal[";", "&"]

_is_domain = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+").fullmatch
_pattern = re.compile(r"%[0-9]*U")


def _domain(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse what is no domain for a cookie."""
    if not _is_domain(value):
        raise ValueError(f"{value!r} is no domain; write 'example.com'")


def _digest(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse digests that mod_auth_tkt does not have."""
    if value.lower() not in DIGESTS:
        raise ValueError(f"has no digest {value!r}; write {', '.join(DIGESTS)}")


def _user(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse what is no user's name."""
    if not is_safe_user_name(_pattern.sub("", value, count=1) or "x") or "!" in value:
        raise ValueError(f"{value!r} is no user's name; write 'guest'")


_may_be_place = optional(check_place)


@attrs.frozen(kw_only=True)
class AuthTktConfig:
    """
    The ``auth_tkt`` authenticator's part of the configuration file.

    Attributes:
        secret: What the makers and readers of tickets share: whoever knows it can make
            tickets for anybody.
        secret_old: A secret that is on its way out; tickets made with it are good, and
            replaced at once.
        digest: ``md5``, ``sha256`` or ``sha512``; no ticket chooses another.
        ignore_ip: Take only tickets that are good from any address, and look at no
            client's; else only those of the client's own address.
        ipv6: How addresses of IPv6 are in tickets, which mod_auth_tkt cannot have:
            ``packed``, 16 octets, or ``text``, as Pyramid writes them.
        user: How users are written in tickets: ``plain``, as for mod_auth_tkt,
            ``quoted``, as by Paste, or ``pyramid``.
        encoding: How octets in tickets stand for characters: ``utf-8`` or ``latin-1``.
        login_url: Where browsers without a good ticket are sent, a URL or a path on the
            same host; unset, they are refused with 403.
        timeout_url: Where they are sent if the ticket is too old; unset, to
            ``login_url``.
        post_timeout_url: Likewise, if the method is POST; unset, to ``timeout_url``.
        unauth_url: Where they are sent if the ticket has none of ``tokens``; unset, to
            ``login_url``.
        back_argument: The argument of these URLs that says where the browser was; empty
            for none.
        back_cookie: A cookie that says so instead; unset, there is none.
        query_separator: What stands before that argument if the URL has others: ``;``
            or ``&``.
        timeout: Seconds for which a ticket is good; 0: for ever.
        timeout_refresh: The part of ``timeout``, from 0 to 1, that has to be left of a
            ticket, or the browser gets a new one; 0: it never gets one.
        leeway: Seconds by which the login server's clock may be ahead of ours.
        tokens: The ticket must have one of these; ``NULL`` as the first asks for none.
        require_ssl: Send requests that did not come by https to ``login_url``, with or
            without a ticket.
        cookie_name: The cookie that tickets are in.
        cookie_domain: The domain of cookies that we set; unset, the request's host.
            Has to be what the login server says.
        cookie_secure: Browsers send these cookies over TLS only; unset, if they came
            by https.
        cookie_http_only: Scripts cannot read them.
        cookie_same_site: From which pages browsers send them: ``lax``, ``strict`` or
            ``none``.
        cookie_expires: Seconds for which browsers keep them; unset, until they are
            closed.
        every_cookie: Look at every cookie of this name until a ticket is good, and not
            at the first alone: another host of the domain can set one.
        url_ticket: Whether a ticket may stand in the query, as an argument with the
            name of the cookie.  ``once``: it is good for that request.  ``cookie``: the
            browser gets it as a cookie: a link can then log in anybody as the one who
            made it.
        guest_login: Let in who has no good ticket, as a guest.
        guest_user: Who guests are; ``%U`` in it stands for a UUID, ``%8U`` for the
            first 8 characters of one.
        guest_cookie: Give guests a ticket.
        guest_fallback: Those whose ticket is too old are guests, too.
        guest_empty: Guests are nobody: the backend gets no user.
        issuer: Who vouches for the users, in identities and records.
        debug: From 1, log the fields that each ticket has; never a ticket or a value
            of one.
    """

    secret: Secret
    secret_old: Secret | None = None
    digest: str = attrs.field(default="md5", validator=_digest)
    ignore_ip: bool = False
    ipv6: IPv6Form = "packed"
    user: UserForm = "plain"
    encoding: TicketEncoding = "utf-8"
    login_url: str | None = attrs.field(default=None, validator=_may_be_place)
    timeout_url: str | None = attrs.field(default=None, validator=_may_be_place)
    post_timeout_url: str | None = attrs.field(default=None, validator=_may_be_place)
    unauth_url: str | None = attrs.field(default=None, validator=_may_be_place)
    back_argument: str = attrs.field(default="back")
    back_cookie: str | None = attrs.field(
        default=None, validator=optional(check_cookie)
    )
    query_separator: Separator = ";"
    timeout: float = attrs.field(default=7200.0, validator=between(0, 3.2e8))
    timeout_refresh: float = attrs.field(default=0.5, validator=between(0, 1))
    leeway: float = attrs.field(default=300.0, validator=between(0, 86400))
    tokens: tuple[str, ...] = ()
    require_ssl: bool = False
    cookie_name: str = attrs.field(default="auth_tkt", validator=check_cookie)
    cookie_domain: str | None = attrs.field(default=None, validator=optional(_domain))
    cookie_secure: bool | None = None
    cookie_http_only: bool = True
    cookie_same_site: SameSite = "lax"
    cookie_expires: float | None = attrs.field(
        default=None, validator=optional(between(1, 3.2e8))
    )
    every_cookie: bool = False
    url_ticket: UrlTicket = "off"
    guest_login: bool = False
    guest_user: str = attrs.field(default="guest", validator=[non_empty, _user])
    guest_cookie: bool = False
    guest_fallback: bool = False
    guest_empty: bool = False
    issuer: str = attrs.field(default="auth_tkt", validator=non_empty)
    debug: int = attrs.field(default=0, validator=between(0, 3))

    @back_argument.validator
    def _no_or_one_argument(self, attribute: Attribute, value: str) -> None:
        if value:
            check_argument(self, attribute, value)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Give what is wrong with options together: the option, and why."""
        for option in ("secret", "secret_old"):
            secret: Secret | None = getattr(self, option)
            if secret is not None and len(secret.reveal().encode()) < SHORTEST_SECRET:
                yield option, f"must have {SHORTEST_SECRET} characters at least"
        if self.cookie_name.startswith("__Host-"):
            yield "cookie_name", "browsers want no domain with '__Host-': leave it out"
        for token in self.tokens:
            if not token or "," in token or "!" in token:
                yield "tokens", f"{token!r} is no token: tickets have commas between"
        for option in ("guest_cookie", "guest_fallback", "guest_empty"):
            if getattr(self, option) and not self.guest_login:
                yield option, "has no effect without guest_login"
        if self.guest_cookie and self.guest_empty:
            yield "guest_cookie", "nobody has no ticket: leave out guest_empty"
        if self.cookie_same_site == "none" and self.cookie_secure is False:
            yield "cookie_same_site", "browsers want cookie_secure for 'none'"

    @property
    def wanted(self) -> frozenset[str]:
        """Give the tokens of which a ticket must have one; empty asks for none."""
        if self.tokens[:1] == (NO_TOKEN,):
            return frozenset()
        return frozenset(self.tokens)

    def keys(self) -> tuple[TicketKey, ...]:
        """Give what tickets are checked with, and first what they are made with."""
        digest: Digest = next(d for d in DIGESTS if d == self.digest.lower())
        secrets = (self.secret, self.secret_old)
        return tuple(
            TicketKey(
                secret=secret.reveal().encode(),
                digest=digest,
                ipv6=self.ipv6,
                user=self.user,
                encoding=self.encoding,
            )
            for secret in secrets
            if secret is not None
        )
