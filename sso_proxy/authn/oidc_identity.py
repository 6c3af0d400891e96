"""Who somebody is, by the tokens that a provider gave for them."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import attrs
from twisted.logger import Logger

from sso_proxy.authn.oidc_begun import Begun
from sso_proxy.authn.oidc_bound import check_bound, check_still_bound
from sso_proxy.authn.oidc_checks import check_essential, check_prompt
from sso_proxy.authn.oidc_given import Given
from sso_proxy.authn.oidc_parts import Parts
from sso_proxy.authn.oidc_refresh import RefreshRefusedError, refresh_at
from sso_proxy.authn.oidc_rules import id_token_rules, userinfo_rules
from sso_proxy.errors import TokenError
from sso_proxy.model import Identity
from sso_proxy.net.provider import ProviderError
from sso_proxy.session import Session
from sso_proxy.specs.jose.compact import JoseHeader
from sso_proxy.specs.jose.keys import KeySet, UnknownKeyError
from sso_proxy.specs.oidc.claims import merge_claims
from sso_proxy.specs.oidc.hybrid import check_same_login
from sso_proxy.specs.oidc.id_token import (
    check_id_token,
    check_refreshed,
    open_id_token,
)
from sso_proxy.specs.oidc.issuers import group_overage
from sso_proxy.specs.oidc.metadata import ProviderEndpoints
from sso_proxy.specs.oidc.response import AuthorizationAnswer
from sso_proxy.specs.oidc.token_response import TokenResponse
from sso_proxy.specs.oidc.userinfo import read_userinfo

_log = Logger()

T = TypeVar("T")

_NO_KEYS: Final = KeySet(())

Known = tuple[Identity, dict[str, Any]]
"""Who somebody is, and what their session keeps."""


class Identifier:
    """
    Makes identities of tokens.

    Args:
        parts: The parts of the authenticator.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._config = parts.config

    async def of_browser(
        self, answer: AuthorizationAnswer, begun: Begun
    ) -> Mapping[str, Any] | None:
        """
        Give the claims of the ID token that a browser brought; None without one.

        It has to be signed, and to vouch for all that came along (OpenID Connect Core
        sections 3.2.2.11 and 3.3.2.12).

        Raises:
            TokenError: It is not good.
            UnavailableError: The provider's keys cannot be had.
        """
        if answer.id_token is None:
            return None
        endpoints = await self._parts.provider.endpoints()
        header, claims = await self._open(answer.id_token, endpoints, front=True)
        asked = begun.response_type
        extra = {"c_hash": asked.has_code, "at_hash": asked.has_token, "s_hash": True}
        configured = (name for name in self._config.required_hashes if extra[name])
        check_id_token(
            claims,
            id_token_rules(self._config, endpoints),
            alg=header.alg,
            now=self._parts.clock.time(),
            nonce=begun.nonce,
            access_token=answer.access_token,
            code=answer.code,
            state=answer.state,
            required_hashes={*asked.required_hashes, *configured},
            # Where there is a code, what counts is the token that it is good for.
            **({} if asked.has_code else _wanted(begun)),
        )
        return claims

    async def of_answer(
        self,
        answer: AuthorizationAnswer,
        begun: Begun,
        claims: Mapping[str, Any] | None,
    ) -> Known:
        """
        Say who has logged in, by what the browser brought alone (implicit flow).

        Args:
            answer: What came.
            begun: What is known of the login.
            claims: What `of_browser` gave for it.

        Raises:
            TokenError: The claims are not enough.
            ProviderError: The provider does not answer about the user.
            UnavailableError: It cannot be asked now.
        """
        if claims is None:
            raise TokenError("there is no ID token", reason="token-missing")
        endpoints = await self._parts.provider.endpoints()
        return await self._complete(Given.by_browser(answer), begun, endpoints, claims)

    async def of_login(
        self,
        tokens: TokenResponse,
        begun: Begun,
        answer: AuthorizationAnswer,
        front: Mapping[str, Any] | None = None,
    ) -> Known:
        """
        Say who has logged in, by the tokens that a code was good for.

        Args:
            tokens: What it was redeemed for; these count, whatever came before.
            begun: What is known of the login.
            answer: What came with the browser.
            front: What `of_browser` gave for it.

        Raises:
            TokenError: A token is not good, or not enough.
            ProviderError: The provider does not answer about the user.
            UnavailableError: It cannot be asked now.
        """
        endpoints = await self._parts.provider.endpoints()
        if tokens.id_token is None:
            detail = "the token response has no id_token"
            raise TokenError(detail, reason="token-missing")
        header, claims = await self._open(tokens.id_token, endpoints)
        # These two are of what came before, and vouched for already.
        before = {"c_hash", "s_hash"} if front is not None else set()
        check_id_token(
            claims,
            id_token_rules(self._config, endpoints),
            alg=header.alg,
            now=self._parts.clock.time(),
            nonce=begun.nonce,
            access_token=tokens.access_token,
            code=answer.code,
            state=answer.state,
            required_hashes={*self._config.required_hashes} - before,
            **_wanted(begun),
        )
        if front is not None:
            check_same_login(front, claims)
        return await self._complete(Given.by_code(tokens), begun, endpoints, claims)

    async def _complete(
        self,
        given: Given,
        begun: Begun,
        endpoints: ProviderEndpoints,
        claims: Mapping[str, Any],
    ) -> Known:
        """Add what else there is to know to the claims of an ID token that is good."""
        leeway = self._config.leeway
        check_prompt(begun.prompt, claims, begun=begun.at, leeway=leeway)
        check_bound(
            claims,
            thumbprint=self._parts.provider.proof_thumbprint,
            provided=begun.provided,
            required=self._config.token_binding == "require",  # noqa: S105
        )
        sources: dict[str, Mapping[str, Any]] = {"id_token": claims}
        userinfo = await self._userinfo(given, endpoints, claims)
        if userinfo is not None:
            sources["userinfo"] = userinfo
        asked = self._config.claims if begun.claims is None else begun.claims
        check_essential(asked, sources)
        for found in sources.values():
            if why := group_overage(found):
                _log.warn("{name}: {why}", name=self._parts.name, why=why)
        if self._parts.others is not None:
            others: dict[str, Any] = {}
            for found in sources.values():
                others |= await self._parts.others.claims_of(found, claims["sub"])
            sources["others"] = others
        return self._identify(sources, given), self._keep(given, claims)

    async def of_refresh(self, session: Session) -> tuple[Identity, Mapping[str, Any]]:
        """
        Get new tokens for *session*, and say who that is then.

        Raises:
            RefreshRefusedError: The provider gives none, or such as are not good.
            UnavailableError: It cannot be asked now.
        """
        try:
            tokens = await self._parts.provider.refresh(session.data["refresh_token"])
            identity = await self._after(session, tokens)
        except ProviderError as e:
            detail = f"{e.error} {e.description}".strip()
            raise RefreshRefusedError(detail) from e
        except TokenError as e:
            raise RefreshRefusedError(f"the new ID token: {e.detail}") from e
        claims = identity.sources["id_token"]
        # One that does not come back is still good (RFC 6749 section 6).
        given = self._keep(Given.by_code(tokens), claims)
        if tokens.expires_in is None:
            given |= {"access_expires": None, "refresh_at": None}
        return identity, {**session.data, **given}

    async def _after(self, session: Session, tokens: TokenResponse) -> Identity:
        """Give the identity after a refresh, which may bring an ID token or none."""
        identity = session.identity
        sources = dict(identity.sources)
        if "id_token" not in sources:
            raise TokenError("the session does not say what the first one said")
        if tokens.id_token is not None:
            endpoints = await self._parts.provider.endpoints()
            header, claims = await self._open(tokens.id_token, endpoints)
            before = sources.get("id_token", {})
            check_refreshed(
                claims,
                id_token_rules(self._config, endpoints),
                alg=header.alg,
                now=self._parts.clock.time(),
                before=before,
                access_token=tokens.access_token,
            )
            thumbprint = self._parts.provider.proof_thumbprint
            check_still_bound(claims, before, thumbprint=thumbprint)
            # What only the first one said, such as how the user logged in, still holds.
            sources["id_token"] = {**before, **claims}
        scopes = identity.scopes if tokens.scope is None else tokens.scope.split()
        return attrs.evolve(
            identity,
            claims=_merged(sources),
            sources=sources,
            scopes=frozenset(scopes),
        )

    async def _open(
        self, text: str, endpoints: ProviderEndpoints, *, front: bool = False
    ) -> tuple[JoseHeader, dict[str, Any]]:
        rules, secrets = id_token_rules(self._config, endpoints), self._parts.secrets
        return await self.with_keys(
            endpoints,
            lambda keys: open_id_token(
                text,
                keys,
                rules,
                decryption_keys=secrets.decryption,
                mac_keys=secrets.mac_keys,
                front_channel=front,
            ),
        )

    async def with_keys(
        self, endpoints: ProviderEndpoints, work: Callable[[KeySet], T]
    ) -> T:
        """
        Give what *work* makes with the provider's keys, with newer ones if need be.

        Raises:
            TokenError: As *work* raises.
            UnavailableError: The keys cannot be had.
        """
        if endpoints.jwks is None:
            return work(_NO_KEYS)
        provider = self._parts.provider
        try:
            return work(await provider.key_set())
        except TokenError as e:
            # A key without a name that has changed only seems to sign wrongly.
            if not isinstance(e, UnknownKeyError) and e.reason != "token-signature":
                raise
        return work(await provider.key_set_for_unknown())

    async def _userinfo(
        self,
        given: Given,
        endpoints: ProviderEndpoints,
        claims: Mapping[str, Any],
    ) -> Mapping[str, Any] | None:
        """Ask for more claims; None if there is nobody to ask, or nothing to ask by."""
        if endpoints.userinfo is None or given.access_token is None:
            return None
        status, content_type, body = await self._parts.provider.userinfo(
            given.access_token, given.token_type or ""
        )
        rules = userinfo_rules(self._config, claims["iss"])
        secrets, subject = self._parts.secrets, claims["sub"]
        return await self.with_keys(
            endpoints,
            lambda keys: read_userinfo(
                status,
                content_type,
                body,
                rules,
                keys=keys,
                decryption_keys=secrets.decryption,
                mac_keys=secrets.mac_keys,
                subject=subject,
                now=self._parts.clock.time(),
            ),
        )

    def _identify(
        self, sources: dict[str, Mapping[str, Any]], given: Given
    ) -> Identity:
        claims = sources["id_token"]
        scope = " ".join(self._config.scope) if given.scope is None else given.scope
        return Identity(
            issuer=claims["iss"],
            subject=claims["sub"],
            authenticator=self._parts.name,
            claims=_merged(sources),
            scopes=frozenset(scope.split()),
            sources=sources,
        )

    def _keep(self, given: Given, claims: Mapping[str, Any]) -> dict[str, Any]:
        """Give what a session keeps of *given*; nothing of what did not come."""
        now, lasts = self._parts.clock.time(), given.expires_in
        every = {
            "id_token": given.id_token,
            "access_token": given.access_token,
            "refresh_token": given.refresh_token,
        }
        kept: dict[str, Any] = {
            name: every[name] for name in self._config.keep if every[name] is not None
        }
        before = self._config.refresh_before
        details = {
            "provider": self._config.issuer,
            "sid": claims.get("sid"),
            "token_type": given.token_type,
            "access_since": None if given.access_token is None else now,
            "access_expires": None if lasts is None else now + lasts,
            "refresh_at": refresh_at(now, lasts, before),
        }
        said = {n: value for n, value in details.items() if value is not None}
        return {**kept, **said}


def _wanted(begun: Begun) -> dict[str, Any]:
    """Give what was asked for, as `check_id_token` takes it."""
    return {
        "max_age": begun.max_age,
        "asked_at": begun.at,
        "acr_values": begun.acr_values,
    }


def _merged(sources: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Give one claim for each name, from the source that counts most."""
    userinfo, others = (sources.get(name, {}) for name in ("userinfo", "others"))
    return merge_claims(sources["id_token"], userinfo, others)
