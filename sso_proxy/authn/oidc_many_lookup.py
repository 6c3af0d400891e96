"""Where an account logs in: asked of its host, if that may be asked."""

from collections.abc import Callable, Sequence
from typing import Final

from twisted.logger import Logger

from sso_proxy.authn.oidc_many_providers import NotHereError
from sso_proxy.errors import UnavailableError
from sso_proxy.net.http_client import HttpClient
from sso_proxy.specs.oidc.webfinger import (
    MAX_JRD,
    Lookup,
    WebFingerError,
    read_answer,
    read_identifier,
)

_log = Logger()

_ACCEPT: Final = "application/jrd+json, application/json;q=0.9"
_WITHIN: Final = 5.0
_ANY: Final = "*"


class Lookups:
    """
    Asks hosts of accounts (WebFinger).

    Args:
        hosts: Those that may be asked; ``*.example.com`` is all below one, and ``*``
            every one.
        http_client: Asks them, and goes nowhere into our own network.
    """

    def __init__(self, hosts: Sequence[str], http_client: HttpClient | None) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._http_client = http_client

    def allows(self, host: str) -> bool:
        """Say whether *host* may be asked."""
        above = host.split(".")[1:]
        wider = (".".join(("*", *above[i:])) for i in range(len(above)))
        return not self._hosts.isdisjoint({_ANY, host, *wider})

    def read(self, typed: str) -> Lookup:
        """
        Normalise what somebody typed.

        Raises:
            NotHereError: It is nothing that could be looked up, or its host must not
                be asked.
        """
        try:
            lookup = read_identifier(typed)
        except WebFingerError as e:
            raise NotHereError("unknown", e.detail) from None
        if not self.allows(lookup.host):
            raise NotHereError("unusable", f"{lookup.host} must not be asked")
        return lookup

    async def find(self, lookup: Lookup, spend: Callable[[], None]) -> str:
        """
        Give the issuer that a host names; nobody has allowed it yet.

        Args:
            lookup: What `read` gave.
            spend: Counts that somebody is asked.

        Raises:
            NotHereError: It names none.
        """
        spend()
        if self._http_client is None:
            raise NotHereError("unknown", "nothing can be asked")
        try:
            reply = await self._http_client.get(
                lookup.url, {"Accept": _ACCEPT}, max_bytes=MAX_JRD, within=_WITHIN
            )
            return read_answer(reply.status, reply.body)
        except (WebFingerError, UnavailableError) as e:
            why = e.detail if isinstance(e, WebFingerError) else e.what
            raise NotHereError("unknown", f"WebFinger at {lookup.host}: {why}") from e
