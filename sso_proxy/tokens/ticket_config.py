"""The options that all kinds of tickets have."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from sso_proxy.config.checks import Attribute, between
from sso_proxy.specs.claims import read_claim_path


def claim_or_none(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse what is no path of a claim; empty for none."""
    if value:
        read_claim_path(value)


def _paths(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    for text in value:
        read_claim_path(text)


def _tokens(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    for token in value:
        if not token.isprintable() or token != token.strip() or not token:
            raise ValueError(f"{token!r} is no token")
        if {*token} & {*",;!"}:
            raise ValueError(f"{token!r} is no token: it would be taken for several")


def _table(instance: object, attribute: Attribute, value: Mapping[str, Any]) -> None:
    for tokens in value.values():
        _tokens(instance, attribute, tokens)


@attrs.frozen(kw_only=True)
class TicketConfig:
    """
    What can be said of every kind of ticket.

    Attributes:
        uid: The caller's claim that is the user's name; unset, the name that
            ``map_user`` gives.
        lifetime: Seconds that a ticket is good.  Nobody can take one back.  It never
            lasts longer than the session.
        cip: Whether a ticket is good for the client's address only.  Not for
            ``[[route.token]]``: the backend sees our address.  A client that reaches
            the sites by another address than us, such as IPv6, does not get in.
        tokens: Claims whose texts, or lists of texts, are the user's tokens:
            ``groups``, ``realm_access.roles``.
        token_table: What of these means which tokens; what is not in it means none.
            Empty: they are tokens themselves, but for those with a comma, semicolon
            or exclamation mark.
        tokens_always: Tokens that everybody has.
        udata: The claim that is the ticket's user data; unset, there is none.
    """

    uid: str = attrs.field(default="", validator=claim_or_none)
    lifetime: int = attrs.field(default=3600, validator=between(60, 31 * 86400))
    cip: bool = False
    tokens: tuple[str, ...] = attrs.field(default=(), validator=_paths)
    token_table: Mapping[str, tuple[str, ...]] = attrs.field(
        factory=dict, validator=_table
    )
    tokens_always: tuple[str, ...] = attrs.field(default=(), validator=_tokens)
    udata: str = attrs.field(default="", validator=claim_or_none)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Give options that contradict each other, each with the reason."""
        if self.token_table and not self.tokens:
            yield "token_table", "has no effect without tokens"
