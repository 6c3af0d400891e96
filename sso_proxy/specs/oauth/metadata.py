"""What an authorization server says about itself (RFC 8414, OpenID Discovery 1.0)."""

from collections.abc import Generator, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from sso_proxy.errors import SsoProxyError, TokenError
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.oauth.urls import (
    ServerUrl,
    UrlRefusedError,
    check_published_url,
    read_issuer,
    read_url,
)

MAX_METADATA: Final = 150_000
"""Octets of a document."""

_OAUTH: Final = "/.well-known/oauth-authorization-server"
_OPENID: Final = "/.well-known/openid-configuration"
_TRY_LATER: Final = frozenset({408, 425, 429})
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@attrs.frozen
class MetadataRefusedError(SsoProxyError):
    """
    An issuer's metadata must not be used.

    Attributes:
        detail: Why, for the log.
    """

    detail: str


class NoMetadataError(MetadataRefusedError):
    """What is at this address is no metadata at all; it may be at another."""


@attrs.frozen(kw_only=True)
class ServerMetadata:
    """
    The metadata of one issuer, checked.

    The names are those of the documents.  None and empty tuples mean that the document
    does not say; defaults of the specifications are not filled in.

    Attributes:
        issuer: The issuer identifier, the same as the one that was configured.
        mtls_endpoint_aliases: Endpoints for clients that authenticate by certificate,
            or want bound tokens, where they are others (RFC 8705 section 5).
        raw: All members, those above included, as they came.
    """

    issuer: str
    jwks_uri: str | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    introspection_endpoint: str | None = None
    revocation_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    check_session_iframe: str | None = None
    registration_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    backchannel_authentication_endpoint: str | None = None
    pushed_authorization_request_endpoint: str | None = None
    mtls_endpoint_aliases: Mapping[str, str] = _NOTHING
    scopes_supported: tuple[str, ...] = ()
    response_types_supported: tuple[str, ...] = ()
    response_modes_supported: tuple[str, ...] = ()
    grant_types_supported: tuple[str, ...] = ()
    code_challenge_methods_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ()
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ()
    introspection_endpoint_auth_methods_supported: tuple[str, ...] = ()
    introspection_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ()
    introspection_signing_alg_values_supported: tuple[str, ...] = ()
    revocation_endpoint_auth_methods_supported: tuple[str, ...] = ()
    id_token_signing_alg_values_supported: tuple[str, ...] = ()
    dpop_signing_alg_values_supported: tuple[str, ...] = ()
    authorization_response_iss_parameter_supported: bool = False
    require_pushed_authorization_requests: bool = False
    tls_client_certificate_bound_access_tokens: bool = False
    backchannel_logout_supported: bool = False
    backchannel_logout_session_supported: bool = False
    frontchannel_logout_supported: bool = False
    frontchannel_logout_session_supported: bool = False
    raw: Mapping[str, Any] = attrs.field(default=_NOTHING, repr=False)

    def endpoint(self, name: str, *, certificate: bool = False) -> str | None:
        """
        Give the URL of the endpoint called *name*, or None.

        Args:
            name: For instance ``introspection_endpoint``.
            certificate: A client certificate will be used there.
        """
        url: str | None = getattr(self, name)
        return self.mtls_endpoint_aliases.get(name, url) if certificate else url


_FIELDS: Final = attrs.fields_dict(ServerMetadata)
_URLS: Final = tuple(name for name, at in _FIELDS.items() if at.type == str | None)
_LISTS: Final = tuple(
    name for name, at in _FIELDS.items() if at.type == tuple[str, ...]
)
_FLAGS: Final = tuple(name for name, at in _FIELDS.items() if at.type is bool)


def well_known_urls(issuer: str) -> tuple[str, ...]:
    """
    Give the URLs at which *issuer* may publish its metadata, in the order to ask.

    First RFC 8414 section 3.1, whose name goes between host and path; then OpenID
    Discovery section 4, appended to the path, where most providers have it; then the
    second name in the first place (RFC 8414 section 5).

    Raises:
        UrlRefusedError: *issuer* is no issuer identifier (RFC 8414 section 2).
    """
    url = read_issuer(issuer)
    path = url.path.removesuffix("/")
    urls = (
        f"{url.origin}{_OAUTH}{path}",
        f"{url.origin}{path}{_OPENID}",
        f"{url.origin}{_OPENID}{path}",
    )
    return tuple(dict.fromkeys(urls))


def find_metadata(
    issuer: str, first: str | None = None, only: str | None = None
) -> Generator[str, tuple[int, bytes], ServerMetadata]:
    """
    Look for the metadata of *issuer*: yields URLs to fetch, is sent what came.

    Args:
        issuer: The issuer identifier.
        first: Where it was the last time; asked before the others.
        only: The one URL at which it is; None for the well-known ones.

    Sent:
        The status of the answer, and its body.

    Returns:
        The metadata.

    Raises:
        UrlRefusedError: *issuer* is no issuer identifier.
        MetadataRefusedError: It is nowhere, or where it is, it must not be used.  Then
            the other URLs are not asked: who lies in one place is not believed in
            another.
    """
    urls = well_known_urls(issuer) if only is None else (only,)
    urls = tuple(sorted(urls, key=lambda url: url != first))
    place = None if only is None else read_url(only)
    problems = []
    for url in urls:
        status, body = yield url
        try:
            _check_status(status)
            return read_metadata(body, issuer, place)
        except NoMetadataError as e:
            problems.append(e.detail)
    where = "at none of the well-known places" if only is None else "not at its URL"
    raise NoMetadataError(f"{where} ({', '.join(problems)})")


def read_metadata(
    document: bytes, issuer: str, place: ServerUrl | None = None
) -> ServerMetadata:
    """
    Read the metadata that was found for *issuer*.

    Args:
        document: It.
        issuer: The issuer identifier; if *place* is given, it may also be a template
            that stands for those of many tenants.
        place: Where it was found, if that is not below the issuer.

    Raises:
        NoMetadataError: It does not even begin like a JSON object, or is one without
            an ``issuer``, such as an error.
        MetadataRefusedError: A member name occurs twice, or the document is otherwise
            no strict JSON; it has more than `MAX_METADATA` octets; its ``issuer`` is
            not *issuer*, octet by octet (RFC 8414 section 3.3: else one server could
            speak for another); a member that we know is of another type; or an
            endpoint is where we must not go (`check_published_url`).
    """
    if len(document) > MAX_METADATA:
        raise MetadataRefusedError(f"has more than {MAX_METADATA} octets")
    if not document.lstrip(b" \t\r\n").startswith(b"{"):
        raise NoMetadataError("no JSON object")
    try:
        members = read_json_object(document)
    except TokenError as e:
        raise MetadataRefusedError(e.detail) from None
    if "issuer" not in members:
        raise NoMetadataError("no issuer")
    if members["issuer"] != issuer:
        raise MetadataRefusedError("its issuer is another than the one configured")
    place = read_issuer(issuer) if place is None else place
    known: dict[str, Any] = {
        "issuer": issuer,
        "mtls_endpoint_aliases": _read_aliases(members, place),
        "raw": MappingProxyType(members),
    }
    known.update((name, _read_url(members, name, place)) for name in _URLS)
    known.update((name, _read_list(members, name)) for name in _LISTS)
    known.update((name, _read_flag(members, name)) for name in _FLAGS)
    return ServerMetadata(**known)


def _check_status(status: int) -> None:
    """
    Check the status of an answer.

    Raises:
        NoMetadataError: There is nothing for us at this address: what servers say to
            unknown paths is anything from 400 to a redirect to a login page.
        MetadataRefusedError: There may be, another time.
    """
    if status == 200:
        return
    if 300 <= status < 500 and status not in _TRY_LATER:
        raise NoMetadataError(f"status {status}")
    raise MetadataRefusedError(f"status {status}")


def _read_url(members: Mapping[str, Any], name: str, issuer: ServerUrl) -> str | None:
    """Read a URL; null is none, which some providers write for what they lack."""
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise MetadataRefusedError(f"{name} is no string")
    try:
        check_published_url(value, issuer)
    except UrlRefusedError as e:
        raise MetadataRefusedError(f"{name}: {e.detail}") from None
    return value


def _read_list(members: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Read a list of strings."""
    value = members.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise MetadataRefusedError(f"{name} is no list of strings")
    return tuple(value)


def _read_flag(members: Mapping[str, Any], name: str) -> bool:
    """Read a boolean; all of them are false by default."""
    value = members.get(name)
    if value is not None and not isinstance(value, bool):
        raise MetadataRefusedError(f"{name} is neither true nor false")
    return value is True


def _read_aliases(members: Mapping[str, Any], issuer: ServerUrl) -> Mapping[str, str]:
    """Read the endpoints for clients with certificates (RFC 8705 section 5)."""
    aliases = members.get("mtls_endpoint_aliases")
    if aliases is None:
        return _NOTHING
    if not isinstance(aliases, dict):
        raise MetadataRefusedError("mtls_endpoint_aliases is no object")
    try:
        urls = {name: _read_url(aliases, name, issuer) for name in _URLS}
    except MetadataRefusedError as e:
        raise MetadataRefusedError(f"mtls_endpoint_aliases.{e.detail}") from None
    return MappingProxyType({name: url for name, url in urls.items() if url})
