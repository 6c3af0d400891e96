"""Whether providers send people back to where logins end: tried, without a login."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.config.model import Config, RouteConfig
from sso_proxy.doctor.asking import Heard, ListeningClient
from sso_proxy.doctor.finding import Finding
from sso_proxy.errors import UnavailableError
from sso_proxy.net.http_client import ClientTls
from sso_proxy.specs.oauth.pkce import challenge_of

_MOST: Final = 1 << 18
_VERIFIER: Final = "doctor-" * 7


async def look_at_redirects(
    config: Config, name: str, options: OidcConfig, client: ListeningClient
) -> list[Finding]:
    """
    Begin a login for each place at which one ends, as nobody, without a page.

    A provider must not send anybody to a place that it does not know (RFC 6749 section
    4.1.2.1), and tells it of all others that nobody is logged in.

    Args:
        config: The configuration.
        name: The authenticator's.
        options: Its options.
        client: Has asked for its metadata before.
    """
    told = _metadata(options, client.heard)
    endpoint = options.authorization_endpoint or told.get("authorization_endpoint")
    found = []
    for places in _places(config, name, options):
        what = f"authenticator.{name}, redirect URI {places[0]}"
        if not isinstance(endpoint, str):
            found.append(Finding("broken", what, "not tried: nobody says where to ask"))
        elif "*" in places[0]:
            found.append(Finding("ok", what, "has to be registered for each host"))
        elif options.par == "on" or told.get("require_pushed_authorization_requests"):
            found.append(Finding("ok", what, "not tried: requests have to be pushed"))
        else:
            found.append(await _try(what, endpoint, places, options, client))
    return found


def _metadata(options: OidcConfig, heard: Sequence[Heard]) -> dict[str, Any]:
    """Give what the provider says of itself."""
    for each in heard:
        if "json" not in (each.reply.media_type or ""):
            continue
        try:
            document = json.loads(each.reply.body)
        except ValueError:
            continue
        if isinstance(document, dict) and document.get("issuer") == options.issuer:
            return document
    return {}


def _places(
    config: Config, name: str, options: OidcConfig
) -> Iterator[tuple[str, ...]]:
    """
    Give where logins come back, for each host.

    Ports may be others outside: each is given with the usual one, and with ours.
    """
    if options.redirect_uri:
        yield (options.redirect_uri,)
        return
    ports = [each.port for each in config.listener if each.tls]
    routes = [route for route in config.route if name in route.authenticate]
    for host, path in dict.fromkeys((r.host, _path(r, name)) for r in routes):
        origins = [
            f"https://{host}",
            *(f"https://{host}:{p}" for p in ports if p not in {0, 443}),
        ]
        yield tuple(f"{origin}{path}" for origin in origins)


def _path(route: RouteConfig, name: str) -> str:
    apache = route.mod_auth_openidc
    if apache is not None and apache.redirect_path:
        return apache.redirect_path
    return f"{route.endpoints}callback/{name}"


async def _try(
    what: str,
    endpoint: str,
    places: Sequence[str],
    options: OidcConfig,
    client: ListeningClient,
) -> Finding:
    """Ask with each of *places* until one is taken."""
    statuses: dict[str, int] = {}
    tls = _trust(options)
    for place in places:
        fields = (
            ("client_id", options.client_id),
            ("redirect_uri", place),
            ("response_type", options.response_type),
            ("scope", "openid"),
            ("prompt", "none"),
            ("state", "doctor"),
            ("nonce", "doctor"),
            ("code_challenge", challenge_of(_VERIFIER)),
            ("code_challenge_method", "S256"),
        )
        try:
            reply = await client.get(endpoint, fields=fields, max_bytes=_MOST, tls=tls)
        except UnavailableError as e:
            return Finding("broken", what, e.what, "is it up, and reached from here?")
        location = reply.header("location") or ""
        if 300 <= reply.status < 400 and _leads_to(location, place):
            return Finding("ok", what, f"the provider sends people to {place}")
        statuses[place] = reply.status
    shown = {
        place: status for place, status in statuses.items() if not 400 <= status < 500
    }
    if not shown:
        found = f"the provider refuses it ({statuses[places[0]]})"
        todo = f"register it there for the client {options.client_id!r}"
        return Finding("broken", what, found, todo)
    (place, status), *_ = shown.items()
    if len(shown) < len(places) and status < 400:
        found = f"the provider refuses others, and shows a page ({status}) for {place}"
        return Finding("ok", what, found)
    found = f"cannot tell: the provider shows a page ({status})"
    return Finding("warning", what, found, "look at it there, or log in once")


def _trust(options: OidcConfig) -> ClientTls | None:
    """Give whom to trust for this provider; the file was read before."""
    return ClientTls(ca=Path(options.ca).read_bytes()) if options.ca else None


def _leads_to(location: str, place: str) -> bool:
    found, wanted = urlsplit(location), urlsplit(place)
    return (found.scheme, found.netloc, found.path) == (
        wanted.scheme,
        wanted.netloc,
        wanted.path,
    )
