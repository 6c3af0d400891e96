"""The options of ``type = "auth_tkt"`` of tokens."""

from collections.abc import Iterator
from typing import Literal

import attrs

from sso_proxy.config.checks import between
from sso_proxy.config.secrets import Secret
from sso_proxy.specs.auth_tkt import SHORTEST_SECRET
from sso_proxy.tokens.ticket_config import TicketConfig

Wrapping = Literal["base64", "url", "none"]


@attrs.frozen(kw_only=True)
class AuthTktTokenConfig(TicketConfig):
    """
    The ``auth_tkt`` token's part of the configuration file: tickets of mod_auth_tkt.

    Attributes:
        secret: ``TKTAuthSecret`` of the sites.  Whoever has it can make tickets, each
            of the sites, too.
        digest: ``TKTAuthDigestType`` of the sites: ``md5``, as they have it if they say
            nothing.  Where you can set it, take ``sha256`` or ``sha512``.
        lifetime: ``TKTAuthTimeout`` of the sites, in seconds: they count it from a time
            in the ticket.  Nobody can take a ticket back.  It never lasts longer than
            the session: its time is then set back.
        cip: Whether a ticket is good for the client's address only: for sites with
            ``TKTAuthIgnoreIP off``, as they have it if they say nothing; else all of
            them must say ``on``.  Not for ``[[route.token]]``: the backend sees our
            address.  mod_auth_tkt lets nobody in who comes by IPv6.
        ipv6: How addresses of IPv6 are in the digest, of which mod_auth_tkt knows
            nothing: ``packed``, their 16 octets, or ``text``, as Paste and Pyramid do.
        user: How the user is written: ``plain``, as mod_auth_tkt reads it, ``quoted``,
            URL-encoded as Paste does it, or ``pyramid``, as Pyramid does.
        encoding: How octets stand for characters: ``utf-8`` or ``latin-1``.
        wrapped: How the ticket stands in the cookie: ``base64``, or ``url``-encoded,
            both of which mod_auth_tkt reads, or ``none``, which Paste and Pyramid want:
            then there is no ticket with what no cookie can have, such as a blank, or
            the comma between two tokens.
    """

    secret: Secret
    digest: Literal["md5", "sha256", "sha512"] = "md5"
    lifetime: int = attrs.field(default=7200, validator=between(60, 31 * 86400))
    ipv6: Literal["packed", "text"] = "packed"
    user: Literal["plain", "quoted", "pyramid"] = "plain"
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    wrapped: Wrapping = "base64"

    def problems(self) -> Iterator[tuple[str, str]]:
        """Give options that contradict each other, each with the reason."""
        yield from super().problems()
        if len(self.secret.reveal().encode()) < SHORTEST_SECRET:
            yield "secret", f"must have {SHORTEST_SECRET} characters at least"
        if self.ipv6 != "packed" and not self.cip:
            yield "ipv6", "has no effect without cip"
