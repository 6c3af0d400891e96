"""The options of the ``oidc`` authenticator."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import attrs
from attrs.validators import in_, optional

from sso_proxy.authn.oidc_client_config import ClientConfig
from sso_proxy.authn.oidc_fapi import fapi_problems
from sso_proxy.config.checks import Attribute, between, non_empty
from sso_proxy.config.login_parts import RefreshFailed
from sso_proxy.config.protocol_checks import (
    known_response_type,
    one_of,
    secure_url,
)
from sso_proxy.specs.jose.compact import ALGORITHMS, MAC_ALGORITHMS
from sso_proxy.specs.jose.encrypted import ENCRYPTIONS, KEY_ALGORITHMS
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_issuer, read_url
from sso_proxy.specs.oidc.id_token import HASHES
from sso_proxy.specs.oidc.issuers import check_template
from sso_proxy.specs.oidc.logout_request import OURS
from sso_proxy.specs.oidc.metadata import EndpointOverrides, check_overrides
from sso_proxy.specs.oidc.request import AuthorizationRequest
from sso_proxy.specs.oidc.response_type import ResponseType

Plain = Literal["", "query", "fragment", "form_post"]
Signed = Literal["jwt", "query.jwt", "fragment.jwt", "form_post.jwt"]
Tokens = Literal["id_token", "access_token", "refresh_token"]

_CHALLENGE: Final = 43 * "A"
_PROMPTS: Final = ("none", "login", "consent", "select_account", "create")


def _pkce(_instance: object, _attribute: Attribute, value: str) -> None:
    if value == "plain":
        problem = "shows the proof to whoever sees the request: 'S256', or 'off'"
        raise ValueError(f"'plain' {problem}")
    if value not in {"S256", "off"}:
        raise ValueError(f"{value!r} is neither 'S256' nor 'off'")


@attrs.frozen(kw_only=True)
class OidcConfig(ClientConfig):
    """
    The ``oidc`` authenticator's part of the configuration file.

    Browsers log in at an OpenID Provider.  Where it is, and what it can do, is in the
    metadata of its issuer, unless ``authorization_endpoint`` and ``token_endpoint`` are
    given; or ``jwks_uri`` instead, where no code is in ``response_type``.  An endpoint
    that is given counts more than the metadata, and an empty one is not used.

    Attributes:
        issuer: The provider: the ``iss`` of its ID tokens, octet by octet.  With
            ``{tenantid}`` in its path, it stands for the issuers of many tenants.
        tenants: Tenants that are let in, if the issuer has them; ``*`` is whoever has
            an account with the provider.
        metadata: The URL of the metadata; unset, the well-known place of the issuer.
        authorization_endpoint: Where browsers log in.
        token_endpoint: Where the code they come back with becomes tokens.
        userinfo_endpoint: Where there are more claims.
        jwks_uri: Where the provider's keys are.
        pushed_authorization_request_endpoint: Where requests are pushed (RFC 9126).
        end_session_endpoint: Where browsers log out.
        revocation_endpoint: Where tokens are given back (RFC 7009).
        check_session_iframe: The provider's frame that tells pages whether somebody is
            still logged in there.
        check_session_interval: Seconds from one question of such a page to the next.
        iss_required: Whether answers must name the issuer (RFC 9207); unset, if the
            metadata says that they do.
        title: What people know the provider by, where they have a choice; unset, the
            name of this table.
        scope: What is asked for; ``openid`` has to be among it.
        response_type: What browsers bring back: a ``code`` with which the proxy itself
            gets the tokens, or the tokens, or both: ``id_token``, ``id_token token``,
            ``code id_token``, ``code token``, ``code id_token token``.
        response_mode: How browsers bring the answer back: in the URL (``query``),
            behind the ``#`` of the URL (``fragment``), in a form (``form_post``), or
            signed by the provider (``jwt``, ``query.jwt``, ``fragment.jwt``,
            ``form_post.jwt``).  Unset, a code alone comes in the URL, and anything else
            behind the ``#``; tokens never come in the URL; and signed with a
            ``profile``.
        acr_values: Authentication contexts that are asked for and enforced, the best
            first; a route that wants others asks for these.
        max_age: Seconds that may have passed since the user authenticated; asked for
            and enforced.
        prompt: What the provider has to show: ``login``, ``consent``,
            ``select_account``, ``create`` or, alone, ``none``.
        login_hint: Who logs in, as the provider knows them.
        ui_locales: Languages for the provider's pages, the best first.
        claims: Single claims that are asked for, in the tables ``id_token`` and
            ``userinfo``; what is ``essential`` is enforced.
        resource: For whom access tokens are to be good (RFC 8707).
        params: Further parameters; they never take the place of ours.
        redirect_uri: Where browsers come back, which the provider has to know; unset,
            ``/.sso/callback/`` and the name of this table, on the host that they used.
        post_logout_redirect_uri: Where browsers come back after they have logged out at
            the provider, which has to know it; unset, ``/.sso/logout/done`` on the
            host that they used; empty, they stay at the provider.
        logout_hint: The claim that tells the provider who logs out, such as ``sid`` or
            ``login_hint``; empty, the ID token does alone.
        logout_params: Further parameters of logouts; they never take the place of ours.
        backchannel_logout: Whether the provider may end sessions at
            ``/.sso/logout/backchannel/`` and the name of this table: if they are such
            that it can (``auto``), always, so that others are refused at the start
            (``on``), or never (``off``).
        pkce: ``S256``: a code is good only together with what the proxy alone knows
            (RFC 7636).  ``off``: it is not, for providers that refuse that; then nobody
            but the nonce tells a code that was put in somebody's way from their own.
        token_binding: Whether ID tokens are bound to the Token Binding ID by which the
            browser is known here, where it has one: ``prefer`` has it tell the provider
            that, ``require`` takes no others besides.  One that is bound is always
            checked.
        par: Whether requests are pushed (RFC 9126): if the provider wants it
            (``auto``), always, or never.
        request_object: Whether requests are signed (RFC 9101) with the first of the
            ``signing_keys``: ``off``, in the request itself (``value``), or fetched by
            the provider (``reference``).  Unset, they are with a ``profile`` only.
        request_object_lifetime: Seconds that a signed request is good for.
        request_object_alg: What signed requests are encrypted with besides, to a key of
            the provider (``RSA-OAEP-256``, ``ECDH-ES``, …), or with one made of the
            client secret (``dir``, ``A256KW``, …); empty: they are not encrypted.
        request_object_enc: How their content is then encrypted.
        profile: ``fapi2`` keeps to the FAPI 2.0 Security Profile in everything, and
            refuses options that contradict it; and to Message Signing, unless
            ``request_object`` is ``off`` and ``response_mode`` one without ``jwt``.
        id_token_algorithms: Signature algorithms of ID tokens; none: the signatures
            that the provider lists.  Only here HS256, HS384 and HS512 are allowed,
            with which the client secret is the key.
        id_token_encrypted: Whether ID tokens have to be encrypted for us.
        id_token_audiences: Further audiences that ID tokens may have.
        required_hashes: Hashes that ID tokens have to have: ``at_hash``, ``c_hash``,
            ``s_hash``.  Those that are there are checked in any case.
        try_keys: A token that names no key is checked with each one of the provider's
            that fits, and not only if there is just one.
        allow_alg_none: Takes ID tokens without a signature from the token endpoint,
            whose certificate is then all that vouches for them.
        response_algorithms: Signature algorithms of signed answers; none: those of ID
            tokens.
        userinfo: Whether more claims are asked for at the UserInfo endpoint, if there
            is one.
        userinfo_signed: Whether they have to be signed.
        userinfo_algorithms: Signature algorithms of signed claims; none: those of ID
            tokens.
        claims_providers: Issuers whose claims are believed that the provider passes on
            (aggregated claims); none: such claims are left out.
        claims_origins: Where claims of these issuers may be fetched if the provider
            only says where they are (distributed claims): ``https://bank.example``.
        leeway: Seconds that the provider's clock may differ from ours.
        max_id_token_age: Seconds that an ID token may be old when it comes.
        keep: Tokens that the session keeps.  Without a refresh token, none is
            refreshed.
        refresh_before: Seconds before access tokens expire when new ones are got.
        refresh_failed: What becomes of a session that gets none: ``end``: it is over if
            the provider refuses; while it is down, requests are 503 once the token has
            expired.  ``keep``: it goes on without.  ``unavailable``: 503 in both cases,
            and the session stays.
        cache: Name of the cache that knows which logins are finished; unset, the
            default one.  Empty, there is none: then nothing is stored for logins, and
            what keeps an answer from being used twice is the cookie of the login, and
            the provider, which takes a code once.
    """

    issuer: str = attrs.field(validator=non_empty)
    tenants: tuple[str, ...] = ()
    metadata: str | None = attrs.field(default=None, validator=secure_url)
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    jwks_uri: str | None = None
    pushed_authorization_request_endpoint: str | None = None
    end_session_endpoint: str | None = None
    revocation_endpoint: str | None = None
    check_session_iframe: str | None = None
    check_session_interval: float = attrs.field(
        default=10.0, validator=between(1, 3600)
    )
    iss_required: bool | None = None
    title: str = ""
    scope: tuple[str, ...] = ("openid", "profile", "email")
    response_type: str = attrs.field(default="code", validator=known_response_type)
    response_mode: Plain | Signed = ""
    acr_values: tuple[str, ...] = ()
    max_age: int | None = attrs.field(default=None, validator=optional(between(0, 2e9)))
    prompt: tuple[str, ...] = attrs.field(default=(), validator=one_of(_PROMPTS))
    login_hint: str = ""
    ui_locales: tuple[str, ...] = ()
    claims: Mapping[str, Any] = attrs.field(factory=dict)
    resource: tuple[str, ...] = ()
    params: Mapping[str, str] = attrs.field(factory=dict)
    redirect_uri: str | None = attrs.field(default=None, validator=secure_url)
    post_logout_redirect_uri: str | None = None
    logout_hint: str = ""
    logout_params: Mapping[str, str] = attrs.field(factory=dict)
    backchannel_logout: Literal["auto", "on", "off"] = "auto"
    pkce: str = attrs.field(default="S256", validator=_pkce)
    token_binding: Literal["", "prefer", "require"] = ""
    par: Literal["auto", "on", "off"] = "auto"
    request_object: Literal["", "off", "value", "reference"] = ""
    request_object_lifetime: int = attrs.field(default=300, validator=between(10, 3600))
    request_object_alg: str = attrs.field(
        default="", validator=in_({"", *KEY_ALGORITHMS})
    )
    request_object_enc: str = attrs.field(
        default="A256GCM", validator=in_(set(ENCRYPTIONS))
    )
    profile: Literal["", "fapi2"] = ""
    id_token_algorithms: tuple[str, ...] = attrs.field(
        default=(), validator=one_of(ALGORITHMS | MAC_ALGORITHMS)
    )
    id_token_encrypted: bool = False
    id_token_audiences: tuple[str, ...] = ()
    required_hashes: tuple[str, ...] = attrs.field(default=(), validator=one_of(HASHES))
    try_keys: bool = False
    allow_alg_none: bool = False
    response_algorithms: tuple[str, ...] = attrs.field(
        default=(), validator=one_of(ALGORITHMS)
    )
    userinfo: bool = True
    userinfo_signed: bool = False
    userinfo_algorithms: tuple[str, ...] = attrs.field(
        default=(), validator=one_of(ALGORITHMS)
    )
    claims_providers: tuple[str, ...] = ()
    claims_origins: tuple[str, ...] = ()
    leeway: float = attrs.field(default=10.0, validator=between(0, 300))
    max_id_token_age: float = attrs.field(default=600.0, validator=between(10, 86400))
    keep: tuple[Tokens, ...] = ("id_token", "access_token", "refresh_token")
    refresh_before: float = attrs.field(default=60.0, validator=between(0, 86400))
    refresh_failed: RefreshFailed = "end"
    cache: str | None = None

    @property
    def fapi(self) -> bool:
        """Say whether the FAPI 2.0 Security Profile is kept."""
        return self.profile == "fapi2"

    @property
    def by_hand(self) -> bool:
        """Say whether there is no need for metadata."""
        # Without codes, what is needed beside the first are keys.
        has_code = self.answer_type.has_code
        second = self.token_endpoint if has_code else self.jwks_uri
        return self.metadata is None and bool(self.authorization_endpoint and second)

    @property
    def answer_type(self) -> ResponseType:
        """Give what answers consist of."""
        return ResponseType.read(self.response_type)

    @property
    def challenges(self) -> bool:
        """Say whether a code is asked for, and with a challenge (PKCE)."""
        return self.answer_type.has_code and self.pkce != "off"

    @property
    def requests(self) -> str:
        """Give how requests are signed."""
        return self.request_object or ("value" if self.fapi else "off")

    @property
    def mode(self) -> str:
        """Give how answers come; ``jwt`` is what it means (JARM section 2.3.4)."""
        default = self.answer_type.default_mode
        given = self._asked_mode or default
        return f"{default}.jwt" if given == "jwt" else given

    @property
    def _asked_mode(self) -> str:
        return self.response_mode or ("jwt" if self.fapi else "")

    @property
    def signed_answers(self) -> bool:
        """Say whether answers come signed (JARM)."""
        return self.mode.endswith(".jwt")

    @property
    def overrides(self) -> EndpointOverrides:
        """Give what counts more than the metadata."""
        return EndpointOverrides(
            authorization=self.authorization_endpoint,
            token=self.token_endpoint,
            userinfo=self.userinfo_endpoint if self.userinfo else "",
            pushed_authorization=self.pushed_authorization_request_endpoint,
            end_session=self.end_session_endpoint,
            revocation=self.revocation_endpoint,
            check_session=self.check_session_iframe,
            jwks=self.jwks_uri,
            iss_required=True if self.fapi else self.iss_required,
            par_required=True if self.fapi or self.par == "on" else None,
        )

    def ask(self, **more: Any) -> AuthorizationRequest:  # noqa: ANN401
        """
        Make a request that asks for what the options say.

        Args:
            more: What they do not say, or not for this login.

        Raises:
            ValueError: Nobody can be asked that.
        """
        mode, default = self._asked_mode, self.answer_type.default_mode
        options: dict[str, Any] = {
            "client_id": self.client_id,
            "scope": self.scope,
            "response_type": self.answer_type,
            "response_mode": None if mode in ("", default) else mode,
            "acr_values": self.acr_values,
            "max_age": self.max_age,
            "prompt": self.prompt,
            "login_hint": self.login_hint,
            "ui_locales": self.ui_locales,
            "claims": self.claims or None,
            "resource": self.resource,
            "pkce": self.pkce != "off",
            "extra": tuple(self.params.items()),
        }
        return AuthorizationRequest(**{**options, **more})

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what is allowed and makes logins less safe."""
        if self.pkce == "S256":
            return ()
        return ("pkce = 'off': only the nonce keeps codes of others out",)

    def problems(self) -> Iterator[str]:
        """Say what is missing, contradicts itself or has no effect."""
        yield from super().problems()
        yield from self._about_the_provider()
        yield from self._about_the_request()
        yield from self._about_the_logout()
        yield from self._about_the_tokens()
        yield from self._about_the_type()
        if self.fapi:
            yield from fapi_problems(self)

    def _about_the_provider(self) -> Iterator[str]:
        try:
            check_template(self.issuer, self.tenants)
        except UrlRefusedError as e:
            yield f"issuer: {e.detail}"
        for name, problem in check_overrides(self.overrides).items():
            yield f"{name}: {problem}"
        for issuer in self.claims_providers:
            try:
                read_issuer(issuer)
            except UrlRefusedError as e:
                yield f"claims_providers: {e.detail}"
        if self.claims_origins and not self.claims_providers:
            yield "claims_origins has no effect without claims_providers"
        if self.tenants and self.metadata is None and not self.by_hand:
            yield "tenants need metadata, or the endpoints"
        if self.tenants and self.signed_answers:
            yield "response_mode: signed answers name one issuer, not one of tenants"

    def _about_the_request(self) -> Iterator[str]:
        others = sorted(self.claims.keys() - {"id_token", "userinfo"})
        if others:
            yield f"claims: {others[0]} is neither id_token nor userinfo"
        try:
            self.ask(
                redirect_uri=self.redirect_uri or "https://localhost/",
                state="s",
                nonce="n",
                code_challenge=_CHALLENGE if self.challenges else None,
            )
        except ValueError as e:
            yield str(e)
        if self.pkce == "off" and self.auth == "none":
            # Who gets hold of a code would have all that there is to it.
            yield "pkce = 'off' needs auth other than 'none'"
        if self.pkce == "off" and not self.answer_type.has_code:
            yield "pkce has no effect without a code in response_type"
        if self.requests != "off" and not self.signing_keys:
            yield f"request_object = {self.requests!r} needs signing_keys"
        if self.request_object_alg and self.requests == "off":
            yield "request_object_alg has no effect without request_object"
        if self.cache == "" and self.request_object == "reference":
            yield "request_object = 'reference' needs a cache"
        if self.par == "on" and self.request_object == "reference":
            yield "request_object = 'reference' has no effect with par = 'on'"

    def _about_the_logout(self) -> Iterator[str]:
        if self.cache == "" and self.backchannel_logout == "on":
            yield "backchannel_logout = 'on' needs a cache"
        for name in sorted(OURS.intersection(self.logout_params)):
            yield f"logout_params: {name} is ours to set"
        if self.post_logout_redirect_uri:
            try:
                read_url(self.post_logout_redirect_uri)
            except UrlRefusedError as e:
                yield f"post_logout_redirect_uri: {e.detail}"

    def _about_the_type(self) -> Iterator[str]:
        asked = self.answer_type
        if asked.has_token and self.dpop == "required":
            yield "response_type: access tokens of browsers are bound to no key of ours"
        hashes = {"at_hash", "c_hash"}.difference(asked.required_hashes)
        beyond = sorted(hashes.intersection(self.required_hashes))
        if beyond and not asked.has_code:
            yield f"required_hashes: {beyond[0]} is of nothing that comes"
        lacks = not (asked.has_code or asked.has_token)
        if lacks and (self.userinfo_signed or self.userinfo_algorithms):
            yield "userinfo_signed and userinfo_algorithms need an access token"
        if self.cache == "" and not asked.has_code:
            # Nobody else knows that an answer came before.
            yield "cache = '' needs a code in response_type"
        if not asked.has_code and self.refresh_failed != "end":
            yield "refresh_failed has no effect without a code in response_type"

    def _about_the_tokens(self) -> Iterator[str]:
        macs = MAC_ALGORITHMS.intersection(self.id_token_algorithms)
        if macs and self.client_secret is None:
            yield f"id_token_algorithms: {', '.join(sorted(macs))} needs client_secret"
        ours = self.decryption_keys or self.client_secret
        if self.id_token_encrypted and not ours:
            yield "id_token_encrypted needs decryption_keys, or client_secret"
        if not self.userinfo and (self.userinfo_signed or self.userinfo_algorithms):
            yield "userinfo_signed and userinfo_algorithms need userinfo"
        if self.refresh_failed != "end" and "refresh_token" not in self.keep:
            yield "refresh_failed has no effect without 'refresh_token' in keep"
