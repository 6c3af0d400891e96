"""The ``pubtkt`` authenticator's part of the configuration file."""

from collections.abc import Iterator
from typing import Literal

import attrs
from attrs.validators import optional

from sso_proxy.authn.ticket_checks import check_argument, check_cookie, check_url
from sso_proxy.config.checks import Attribute, between, non_empty
from sso_proxy.config.model import FilePath
from sso_proxy.config.secrets import Secret
from sso_proxy.specs.http.head import is_token
from sso_proxy.specs.pubtkt import BAUTH_BLOCK, TicketEncoding

ClientAuthorization = Literal["remove", "keep"]

NO_TOKEN = "NULL"  # noqa: S105 - a word of mod_auth_pubtkt
"""The first of ``tokens`` that asks for none, in mod_auth_pubtkt and here."""


def _headers(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    """Refuse what is no header field's name, or stands twice."""
    for name in value:
        if not is_token(name):
            raise ValueError(f"{name!r} is no header field's name; write 'Cookie'")
    if len({name.lower() for name in value}) != len(value):
        raise ValueError("has a name twice")


_may_be_url = optional(check_url)


@attrs.frozen(kw_only=True)
class PubtktConfig:
    """
    The ``pubtkt`` authenticator's part of the configuration file.

    Attributes:
        public_key: PEM file: the public key of the login server; RSA, DSA, EC or
            Ed25519.
        digest: ``sha1``, ``dss1``, ``sha224``, ``sha256``, ``sha384`` or ``sha512``;
            unset, ``sha1`` for RSA and DSA as with mod_auth_pubtkt, ``sha256`` for EC.
        login_url: Where browsers without a good ticket are sent; unset, they are
            refused with 403.
        timeout_url: Where they are sent if the ticket has expired; unset, to
            ``login_url``.
        post_timeout_url: Likewise, if the method is POST; unset, to ``timeout_url``.
        unauth_url: Where they are sent if the ticket has none of ``tokens``; unset, to
            ``login_url``.
        refresh_url: Where GET requests are sent once the ticket is in its grace period;
            unset, to ``login_url``.
        bad_ip_url: Where they are sent if the ticket is another address's, which is
            told in the argument ``ip``; unset, to ``login_url``.
        multifactor_url: Where they are sent if the user has to log in with more than a
            password; unset, to ``login_url``.
        require_multifactor: Take only tickets with ``multifactor=1``.
        headers: Header fields that a ticket may be in, URL-encoded; the first that has
            one counts.  ``Cookie`` stands for the cookie ``cookie_name``.
        cookie_name: The cookie that the ticket is in.
        back_argument: The argument that tells the login server where to send the
            browser back to.
        require_ssl: Send requests that did not come by https to ``login_url``, with or
            without a ticket.
        tokens: The ticket must have one of these; ``NULL`` as the first asks for none.
        fake_basic: Give the backend ``Authorization: Basic`` with the user and the
            password ``password``, and never the client's own.
        passthru_basic: Give the backend ``Authorization: Basic`` with the ``bauth`` of
            the ticket, and never the client's own; goes before ``fake_basic`` if the
            ticket has one.
        passthru_basic_key: The 16 characters that ``bauth`` is encrypted with; unset,
            it is not encrypted.
        client_authorization: ``remove``: the backend never gets the client's own
            ``Authorization`` if one of ``fake_basic`` and ``passthru_basic`` is on.
            ``keep``: the client's goes before ours, so that clients can be anybody to
            the backend that they know a password of, as with mod_auth_pubtkt.
        every_cookie: Look at every cookie of this name until a ticket is good, and not
            at the first alone: another host of the domain can set one.
        every_header: Look at every one of ``headers`` until a ticket is good.
        encoding: How octets in tickets stand for characters: ``utf-8`` or ``latin-1``.
        issuer: Who vouches for the users, in identities and records.
        cache_size: Tickets whose signatures need not be checked again.
        debug: From 1, log the fields that each new ticket has, and from 2 which field
            tickets were looked for in; never a ticket or a value of one.
    """

    public_key: FilePath = attrs.field(validator=non_empty)
    digest: str | None = None
    login_url: str | None = attrs.field(default=None, validator=_may_be_url)
    timeout_url: str | None = attrs.field(default=None, validator=_may_be_url)
    post_timeout_url: str | None = attrs.field(default=None, validator=_may_be_url)
    unauth_url: str | None = attrs.field(default=None, validator=_may_be_url)
    refresh_url: str | None = attrs.field(default=None, validator=_may_be_url)
    bad_ip_url: str | None = attrs.field(default=None, validator=_may_be_url)
    multifactor_url: str | None = attrs.field(default=None, validator=_may_be_url)
    require_multifactor: bool = False
    headers: tuple[str, ...] = attrs.field(
        default=("Cookie",), validator=[non_empty, _headers]
    )
    cookie_name: str = attrs.field(default="auth_pubtkt", validator=check_cookie)
    back_argument: str = attrs.field(default="back", validator=check_argument)
    require_ssl: bool = False
    tokens: tuple[str, ...] = ()
    fake_basic: bool = False
    passthru_basic: bool = False
    passthru_basic_key: Secret | None = None
    client_authorization: ClientAuthorization = "remove"
    every_cookie: bool = False
    every_header: bool = False
    encoding: TicketEncoding = "utf-8"
    issuer: str = attrs.field(default="pubtkt", validator=non_empty)
    cache_size: int = attrs.field(default=16_384, validator=between(1, 1_000_000))
    debug: int = attrs.field(default=0, validator=between(0, 3))

    def problems(self) -> Iterator[tuple[str, str]]:
        """Give what is wrong with options together: the option, and why."""
        key = self.passthru_basic_key
        if key is not None:
            if len(key.reveal().encode()) != BAUTH_BLOCK:
                yield "passthru_basic_key", f"must have {BAUTH_BLOCK} characters"
            if not self.passthru_basic:
                yield "passthru_basic_key", "has no effect without passthru_basic"
        for token in self.tokens:
            if "," in token or not token:
                yield "tokens", f"{token!r} is no token: tickets have commas between"

    @property
    def wanted(self) -> frozenset[str]:
        """Give the tokens of which a ticket must have one; empty asks for none."""
        if self.tokens[:1] == (NO_TOKEN,):
            return frozenset()
        return frozenset(self.tokens)

    @property
    def sets_authorization(self) -> bool:
        """Say whether the backend gets credentials from tickets."""
        return self.fake_basic or self.passthru_basic
