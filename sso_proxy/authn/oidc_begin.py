"""Send a browser to a provider, and have it keep what must be known afterwards."""

import secrets
from typing import Any, Final

from twisted.logger import Logger

from sso_proxy.authn.oidc_begun import Begun
from sso_proxy.authn.oidc_bound import tell_referred
from sso_proxy.authn.oidc_logout import hint_of
from sso_proxy.authn.oidc_parts import Parts
from sso_proxy.authn.oidc_wishes import Asked
from sso_proxy.errors import UnavailableError
from sso_proxy.login import Wanted
from sso_proxy.model import Headers, Request, Response
from sso_proxy.net.provider import ProviderError
from sso_proxy.specs.http.own_origin import own_origin
from sso_proxy.specs.jose.ciphers import WRAPPING
from sso_proxy.specs.jose.encrypt import (
    EncryptionKey,
    derive_encryption_key,
    read_encryption_key,
)
from sso_proxy.specs.jose.keys import KeyRefusedError
from sso_proxy.specs.oauth.pkce import challenge_of
from sso_proxy.specs.oidc.metadata import ProviderEndpoints
from sso_proxy.specs.oidc.request import (
    AuthorizationRequest,
    FormFields,
    front_fields,
    front_url,
    parameters,
    pushed_fields,
)
from sso_proxy.specs.oidc.request_object import (
    TYPE,
    build_request_object,
    object_fields,
    reference_fields,
)

_log = Logger()

PURPOSE: Final = "oidc-request"
"""Of signed requests in the cache."""

_NO_STORE: Final[Headers] = (("cache-control", "no-store"),)
_OCTETS: Final = 32


class Beginner:
    """
    Begins logins.

    Args:
        parts: The parts of the authenticator.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._config = parts.config

    async def begin(self, request: Request, wanted: Wanted) -> Response:
        """
        Send the browser away.

        Raises:
            UnavailableError: The provider is down, or nobody knows where it is.
        """
        endpoints = await self._parts.provider.endpoints()
        asked = self._asked(request, wanted)
        begun = self._begun(request, wanted, asked)
        # In a frame, browsers may take the way back for one of the provider's.
        cross_site = begun.response_mode.startswith("form_post") or bool(
            wanted.silent_for
        )
        session = request.session if wanted.silent_for else None
        hint = "" if session is None else hint_of(self._parts, session, endpoints)
        try:
            state, headers = request.sessions.logins.begin(
                request, begun.as_json(), cross_site=cross_site
            )
            objects = self._address(request, wanted, "request")
            wants = self._request(begun, asked, state, hint)
            location = await self._location(wants, endpoints, objects)
        except ValueError as e:  # contexts of a URL that somebody made up, mostly
            return self._refuse(request, 400, "login-request", str(e), wanted)
        except ProviderError as e:
            detail = f"{e.error} {e.description}".strip()
            return self._refuse(request, 502, "provider-error", detail, wanted)
        told = tell_referred(request, self._config.token_binding)
        fields = (("location", location), *told, *headers)
        return Response(status=303, reason="login", headers=_final(fields))

    async def request_object(self, name: str) -> Response | None:
        """Give a signed request that the provider fetches (RFC 9101 section 5.2)."""
        key, cache = self._object_key(name), self._parts.cache
        sealed = None if cache is None else await cache.get(PURPOSE, key)
        text = None if sealed is None else self._parts.sealer.open(sealed, key)
        if text is None:
            return None
        headers = (*_NO_STORE, ("content-type", f"application/{TYPE}"))
        return Response(status=200, reason="request-object", headers=headers, body=text)

    def _asked(self, request: Request, wanted: Wanted) -> Asked:
        """Give what the provider is asked for, beside what the session has already."""
        asked, session = Asked.by(self._config, wanted.wishes), request.session
        if session is None or session.identity.authenticator != self._parts.name:
            return asked
        return asked.beside(session, Asked.by(self._config))

    def _begun(self, request: Request, wanted: Wanted, asked: Asked) -> Begun:
        """Give what has to be known afterwards."""
        config, verifier = self._config, ""
        if config.challenges:
            verifier = secrets.token_urlsafe(_OCTETS)
        ages = [age for age in (wanted.max_age, asked.max_age) if age is not None]
        mode, prompt = config.mode, asked.prompt
        if wanted.silent_for is not None:
            # No page of ours is seen that could read what is behind a "#".
            mode, prompt = mode.replace("fragment", "form_post"), ("none",)
        return Begun(
            by=self._parts.name,
            issuer=config.issuer,
            redirect_uri=config.redirect_uri
            or (wanted.callback and own_origin(request.head) + wanted.callback)
            or self._address(request, wanted, "callback"),
            response_type=config.answer_type,
            response_mode=mode,
            nonce=secrets.token_urlsafe(_OCTETS),
            verifier=verifier,
            acr_values=wanted.acr_values or asked.acr_values,
            max_age=min(ages) if ages else None,
            prompt=" ".join(prompt),
            claims=None if asked.claims == config.claims else asked.claims,
            resource=None if asked.resource == config.resource else asked.resource,
            at=self._parts.clock.time(),
            wanted=wanted,
        )

    def _request(
        self, begun: Begun, asked: Asked, state: str, hint: str
    ) -> AuthorizationRequest:
        """
        Give what the provider is told.

        Args:
            begun: What is known of the login.
            asked: What it is asked for.
            state: Its state.
            hint: An ID token of who is to be logged in, or empty.

        Raises:
            ValueError: Nobody can be asked for what is wanted.
        """
        challenge, proof_key = None, None
        if begun.verifier:
            challenge = challenge_of(begun.verifier)
        if begun.response_type.has_code:
            proof_key = self._parts.provider.proof_thumbprint
        return self._config.ask(
            redirect_uri=begun.redirect_uri,
            state=state,
            nonce=begun.nonce,
            code_challenge=challenge,
            acr_values=begun.acr_values,
            max_age=begun.max_age,
            prompt=tuple(begun.prompt.split()),
            login_hint=begun.wanted.login_hint or asked.login_hint,
            ui_locales=asked.ui_locales,
            claims=asked.claims or None,
            resource=asked.resource,
            dpop_jkt=proof_key,
            **_silent(begun, hint),
        )

    async def _location(
        self, wants: AuthorizationRequest, endpoints: ProviderEndpoints, objects: str
    ) -> str:
        """
        Give where the browser goes; all that it could change is signed or pushed.

        Args:
            wants: What the provider is told.
            endpoints: Where the provider is.
            objects: The URL below which signed requests can be fetched.

        Raises:
            ProviderError: The provider does not take what is pushed.
            UnavailableError: It is down.
        """
        if not self._config.by_hand:
            self._check_binding(endpoints)
            self._check_type(endpoints)
        fields = await self._fields(wants, endpoints, objects)
        try:
            return front_url(endpoints.authorization, fields)
        except ValueError as e:
            raise ProviderError("", str(e)) from e

    def _check_binding(self, endpoints: ProviderEndpoints) -> None:
        """
        Check that the profile's tokens are going to be bound to something.

        Raises:
            ProviderError: The provider does not bind them to certificates, and there is
                nothing else.
        """
        config = self._config
        if config.fapi and config.dpop != "required" and not endpoints.bound_tokens:
            problem = "profile = 'fapi2': no tokens that are bound to certificates"
            raise ProviderError("", problem)

    def _check_type(self, endpoints: ProviderEndpoints) -> None:
        """
        Check that the provider can answer with tokens, if it is to.

        Raises:
            ProviderError: It does not say that it can, and would answer with an error,
                or in a way that nobody asked for.
        """
        asked = self._config.answer_type
        if asked.has_tokens and not endpoints.takes_type(asked.text):
            raise ProviderError("", f"it has no response_type {asked.text!r}")

    async def _fields(
        self, asked: AuthorizationRequest, endpoints: ProviderEndpoints, objects: str
    ) -> FormFields:
        """Give what the browser carries."""
        config, signed = self._config, None
        if config.requests != "off":
            signed = await self._sign(asked)
        if endpoints.par_required and config.par != "off":
            uri = await self._parts.provider.push(pushed_fields(asked, signed))
            return front_fields(config.client_id, uri)
        if signed is None:
            return parameters(asked)
        if config.requests == "value":
            return object_fields(asked, signed)
        return reference_fields(asked, await self._publish(signed, objects))

    async def _sign(self, asked: AuthorizationRequest) -> str:
        """
        Sign a request, and encrypt it if that is configured (RFC 9101 section 4).

        Raises:
            ProviderError: The provider has no key to encrypt to.
            UnavailableError: Its keys cannot be had.
        """
        try:
            encryption = await self._encryption()
        except KeyRefusedError as e:
            raise ProviderError("", f"request_object_alg: {e.detail}") from e
        return build_request_object(
            asked,
            self._parts.keys.signing[0],
            issuer=self._config.issuer,
            now=self._parts.clock.time(),
            lifetime=self._config.request_object_lifetime,
            jti=secrets.token_urlsafe(16),
            encryption=encryption,
        )

    async def _encryption(self) -> EncryptionKey | None:
        """
        Give the key that requests are encrypted to, or None.

        Raises:
            KeyRefusedError: There is none.
            UnavailableError: The provider's keys cannot be had.
        """
        alg, enc = self._config.request_object_alg, self._config.request_object_enc
        if not alg:
            return None
        secret = self._config.client_secret
        if secret is not None and (alg == "dir" or alg in WRAPPING):
            return derive_encryption_key(secret.reveal(), alg=alg, enc=enc)
        keys = await self._parts.provider.key_set()
        return read_encryption_key(keys.document, alg=alg, enc=enc)

    def _address(self, request: Request, wanted: Wanted, what: str) -> str:
        """Give the URL of one of our endpoints."""
        return f"{own_origin(request.head)}{wanted.endpoints}{what}/{self._parts.name}"

    async def _publish(self, signed: str, objects: str) -> str:
        """
        Put a signed request where the provider can fetch it; give its URL.

        Raises:
            UnavailableError: The cache does not take it.
        """
        name = secrets.token_urlsafe(_OCTETS)
        key = self._object_key(name)
        sealed = self._parts.sealer.seal(signed.encode("ascii"), key)
        lifetime = float(self._config.request_object_lifetime)
        if self._parts.cache is None:
            raise UnavailableError("a cache for signed requests")
        await self._parts.cache.put(PURPOSE, key, sealed, lifetime)
        return f"{objects}/{name}"

    def _object_key(self, name: str) -> bytes:
        return f"{self._parts.name}/{name}".encode()

    def _refuse(
        self, request: Request, status: int, reason: str, detail: str, wanted: Wanted
    ) -> Response:
        _log.warn(
            "Request {id}: nobody can log in by {name}: {detail}",
            id=request.id,
            name=self._parts.name,
            detail=detail,
        )
        return Response(
            status=status, reason=reason, headers=_NO_STORE, again=wanted.target
        )


def _silent(begun: Begun, hint: str) -> dict[str, Any]:
    """Give what is asked for instead where nobody looks (Session Management 1.0)."""
    if begun.wanted.silent_for is None:
        return {}
    changed = begun.response_mode != begun.response_type.default_mode
    return {
        "id_token_hint": hint,
        "response_mode": begun.response_mode if changed else None,
    }


def _final(fields: Headers) -> Headers:
    """Add that nobody may keep the answer, if that is not said yet."""
    return fields if _NO_STORE[0] in fields else (*_NO_STORE, *fields)
