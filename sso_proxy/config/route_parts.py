"""The tables of a ``[[route]]``: options, as in `sso_proxy.config.model`."""

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from sso_proxy.config.checks import between, non_empty

BindingLevel = Literal["require", "prefer", "observe"]
Shown = Literal[
    "remote_user",
    "scope",
    "times",
    "access_token_expires",
    "id_token",
    "userinfo",
    "access_token",
]
ToldBinding = Literal["provided", "referred", "other", "context"]
SessionToken = Literal["access_token", "id_token"]


@attrs.frozen(kw_only=True)
class CookieDeviceConfig:
    """
    How cookies of the application are bound to the browser's device (DBSC).

    The browser proves again and again that it holds a key, and gets a cookie of ours
    for a short while each time.  It has an effect with ``device`` only.

    Attributes:
        lifetime: Seconds that a proof is good for, and with it a copy of all cookies.
            Below 121, browsers prove again with every request.
        grace: Seconds after the application has begun to set cookies for a browser in
            which nothing has to be proved: the browser still makes its key.
        ends_after: Seconds after which what was sealed is worth nothing any more, and
            people log in again.  Keys are kept for that long.
        exclude: Paths, and all below them, that browsers ask for without a proof.
            Paths of other routes need not be named.
        algorithms: What keys may be for, the one wanted most first.
        cache: Name of the cache that keeps the keys; unset, the default one.
    """

    lifetime: int = attrs.field(default=300, validator=between(5, 3600))
    grace: float = attrs.field(default=60.0, validator=between(5, 600))
    ends_after: int = attrs.field(default=86400, validator=between(600, 34560000))
    exclude: tuple[str, ...] = ()
    algorithms: tuple[Literal["ES256", "RS256"], ...] = attrs.field(
        default=("ES256", "RS256"), validator=non_empty
    )
    cache: str | None = None


@attrs.frozen(kw_only=True)
class CookieBindingConfig:
    """
    Cookies that the application sets itself, bound to the key of who gets them.

    Their values are sealed on the way out and opened on the way in.  One that somebody
    else has got, or that was never sealed, does not reach the backend.

    Attributes:
        names: Names of cookies, or how they begin: ``PHP*``; ``*`` is all, also those
            that scripts set, which are sealed for nobody and so never arrive.
        certificate: To the key of the client's TLS certificate.  ``require``: without
            one, these cookies are neither set nor passed on.  ``prefer``: who has
            none gets and sends them as they are.
        token_binding: To the key of Token Binding (RFC 8471), likewise.
        device: To a key that the browser makes for this (DBSC).  ``require``: they are
            passed on for who proves it only.  ``prefer``: browsers that cannot make one
            send them as before.
        device_options: How that is done.
    """

    names: tuple[str, ...] = attrs.field(validator=non_empty)
    certificate: Literal["require", "prefer"] | None = None
    token_binding: Literal["require", "prefer"] | None = None
    device: Literal["require", "prefer"] | None = None
    device_options: CookieDeviceConfig = attrs.field(factory=CookieDeviceConfig)


@attrs.frozen(kw_only=True)
class BindingConfig:
    """
    Keys that callers must prove to hold.  A bound token is always checked.

    Attributes:
        certificate: To the client's TLS certificate (RFC 8705): ``require`` refuses
            tokens that are not bound, ``prefer`` and ``observe`` record it.
        dpop: To a key that signs each request (RFC 9449), likewise.  Unset, tokens that
            are bound to a key are refused, unless there is a table ``[binding.dpop]``.
        token_binding: To the key of Token Binding (RFC 8471), likewise.
        device: To the key of a browser's device (DBSC), for sessions that are bound to
            one, and once their first seconds are over.  ``require`` refuses all that
            has proved none, also who comes with a token or is nobody; ``prefer`` only
            who has a session whose device is registered; ``observe`` logs it.
        cookies: Cookies of the application, which are bound by themselves.
    """

    certificate: BindingLevel | None = None
    dpop: BindingLevel | None = None
    token_binding: BindingLevel | None = None
    device: BindingLevel | None = None
    cookies: CookieBindingConfig | None = None


@attrs.frozen(kw_only=True)
class HeadersConfig:
    """
    What a route's backend is told about the caller.

    Attributes:
        user: Header field for the user name; empty sends none.
        claims: Claims that become ``X-Claim-<name>``.
        claim_prefix: What stands before a claim's name.
        claim_names: Header fields for claims by name, instead of the prefix.
        tokens: Header fields for tokens of the browser session, by what they are:
            ``access_token`` and ``id_token``.  Whoever has the first can do what the
            user may do; give it to no backend that does not need it.
        client_certificate: Send ``Client-Cert`` and ``Client-Cert-Chain`` (RFC 9440).
        token_binding: What to send of the keys that the client has proved to hold
            (draft-ietf-tokbind-ttrp): ``provided``, its key for this host, as
            ``Sec-Provided-Token-Binding-ID``; ``referred``, for another one, where it
            was asked for that; ``other``, of types without a standard; ``context``:
            the connection's keying material, with which a backend can check other
            messages itself.  Keep that from who does not need it.
        remove: What clients send and this backend must not get: ``authorization``,
            ``cookie`` for all cookies, ``cookie:NAME`` for one, or any other header
            field.  What finds out who calls, and tokens that are made from it, have it
            still.
    """

    user: str = "X-Remote-User"
    claims: tuple[str, ...] = ()
    claim_prefix: str = "X-Claim-"
    claim_names: Mapping[str, str] = attrs.field(factory=dict)
    tokens: Mapping[SessionToken, str] = attrs.field(factory=dict)
    client_certificate: bool = False
    token_binding: tuple[ToldBinding, ...] = ()
    remove: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class CorsConfig:
    """
    Which web pages of other origins may read answers, and what they may send.

    Attributes:
        origins: Origins of the pages, such as ``https://app.example.com``; ``*`` is
            any, without credentials.
        credentials: Whether with cookies and client certificates, too.  Access tokens
            in ``Authorization`` do not need it.
        methods: Methods that pages may use; none: the route's, and if these are all,
            GET, HEAD, POST, PUT, PATCH and DELETE.
        headers: Header fields that pages may send.
        expose: Header fields that pages may read, besides ``DPoP-Nonce`` and
            ``WWW-Authenticate``.
        max_age: Seconds that a browser may remember what a preflight was told.
        preflight: ``answer`` preflights ourselves, and have our fields instead of the
            backend's in its answers; or let the ``backend`` do both: preflights
            reach it without a credential, and only our own answers get our fields.
    """

    origins: tuple[str, ...] = attrs.field(validator=non_empty)
    credentials: bool = False
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ("Authorization", "Content-Type", "DPoP")
    expose: tuple[str, ...] = ()
    max_age: int = attrs.field(default=600, validator=between(0, 86400))
    preflight: Literal["answer", "backend"] = "answer"


@attrs.frozen(kw_only=True)
class SessionInfoConfig:
    """
    What pages learn of their user's session, at ``session`` below ``endpoints``.

    Pages of the same origin may ask, and those of ``cors`` with ``credentials``.

    Attributes:
        show: ``remote_user`` as the backend gets it; ``scope``; ``times`` of the
            session (``created``, ``expires``, ``inactive_at``) and
            ``access_token_expires``, in whole seconds since the epoch; all claims of
            the ``id_token``; all of ``userinfo``; the ``access_token`` itself.  Any
            script in the page can then use that one, and take it along.
        claims: Claims that are shown by name.
        extend: Whether asking is a use of the session; where it is not, a page that is
            left open does not keep it going.  Pages may say otherwise each time.
    """

    show: tuple[Shown, ...] = ("remote_user", "times", "access_token_expires")
    claims: tuple[str, ...] = ()
    extend: bool = True


@attrs.frozen(kw_only=True)
class ResourceConfig:
    """
    What clients find out about a protected resource (RFC 9728).

    Anybody may read it, at ``/.well-known/oauth-protected-resource`` and the path of
    the identifier; challenges say where.

    Attributes:
        identifier: The resource's https URL, as clients compare it; unset,
            ``https://``, the route's host and its path.
        authorization_servers: Issuers of access tokens; unset, those that the route's
            authenticators believe.
        scopes_supported: Scopes that a client may need.
        bearer_methods_supported: Where tokens may stand: ``header``, ``body``,
            ``query``; unset, what the route's authenticators say.
        resource_name: A name for people.
        documentation: URL of a page for developers.
        policy_uri: URL of a page about how data may be used.
        tos_uri: URL of the terms of service.
        authorization_details_types_supported: Types of RFC 9396.
        extra: Further members, such as ``"resource_name#de"``.
    """

    identifier: str | None = None
    authorization_servers: tuple[str, ...] | None = None
    scopes_supported: tuple[str, ...] = ()
    bearer_methods_supported: tuple[Literal["header", "body", "query"], ...] | None = (
        None
    )
    resource_name: str = ""
    documentation: str = ""
    policy_uri: str = ""
    tos_uri: str = ""
    authorization_details_types_supported: tuple[str, ...] = ()
    extra: Mapping[str, Any] = attrs.field(factory=dict)
