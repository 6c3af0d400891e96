"""
Claims that others than the provider make about a user (OpenID Connect Core 5.6.2).

The provider passes them on, or says where they are.  They are believed if an issuer
signed them that the operator names, and fetched from where the operator says; else the
login goes on without them.
"""

from collections.abc import Mapping
from typing import Any

import attrs
from twisted.logger import Logger

from sso_proxy.errors import TokenError, UnavailableError
from sso_proxy.interfaces import IClock
from sso_proxy.net.http_client import HttpClient
from sso_proxy.net.provider import KeySource
from sso_proxy.specs.jose.keys import UnknownKeyError
from sso_proxy.specs.oidc.composite import (
    Source,
    SourceRules,
    check_endpoint,
    issuer_of,
    open_source,
    read_distributed,
    read_sources,
)
from sso_proxy.specs.oidc.envelope import MAX_JWT

_log = Logger()


@attrs.frozen(kw_only=True)
class Others:
    """
    Those whose claims are believed.

    Attributes:
        keys: Where their keys are, by issuer.
        origins: Origins that claims may be fetched from.
        client_id: Ours.
        leeway: Seconds that their clocks may differ from ours.
        http_client: Fetches claims.
        clock: The time.
    """

    keys: Mapping[str, KeySource]
    origins: tuple[str, ...] = ()
    client_id: str
    leeway: float
    http_client: HttpClient
    clock: IClock

    async def claims_of(
        self, claims: Mapping[str, Any], subject: str
    ) -> dict[str, Any]:
        """
        Give what others say about *subject*, as far as it can be believed.

        Args:
            claims: Of the ID token or the UserInfo answer, which say where others are.
            subject: ``sub`` of the login.
        """
        found: dict[str, Any] = {}
        if not self.keys:
            return found
        try:
            sources = read_sources(claims)
        except TokenError as e:
            _log.warn("Claims of others are left out: {why}", why=e.detail)
            return found
        for source in sources:
            try:
                found |= await self._open(source, subject)
            except TokenError as e:
                _log.warn("Claims of others are left out: {why}", why=e.detail)
            except UnavailableError as e:
                _log.warn("Claims of others are left out: {what}", what=e.what)
        return found

    async def _open(self, source: Source, subject: str) -> dict[str, Any]:
        """
        Give the claims of one source.

        Raises:
            TokenError: They are not to be believed.
            UnavailableError: They, or their issuer's keys, cannot be had now.
        """
        text = source.jwt
        if text is None:
            text = await self._fetch(source)
        issuer = issuer_of(text, self.keys.keys())
        rules = SourceRules(
            issuer=issuer,
            client_id=self.client_id,
            subject=subject,
            leeway=self.leeway,
        )
        keys, now = self.keys[issuer], self.clock.time()
        try:
            return open_source(source, text, await keys.key_set(), rules, now=now)
        except UnknownKeyError:
            newer = await keys.key_set_for_unknown()
            return open_source(source, text, newer, rules, now=now)

    async def _fetch(self, source: Source) -> str:
        """Fetch claims that are somewhere else; redirects are never followed."""
        url = check_endpoint(source, self.origins)
        token = source.access_token
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        reply = await self.http_client.get(url, headers, max_bytes=MAX_JWT)
        return read_distributed(reply.status, reply.header("content-type"), reply.body)
