"""What ``[route.cors]`` and ``[route.resource]`` must not say."""

import json
import re
from collections.abc import Iterator, Mapping

from sso_proxy.config.draft import Draft, Placed
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.names import FIELD_NAME, method_problem, origin_problem
from sso_proxy.config.route_parts import CorsConfig, ResourceConfig
from sso_proxy.config.structure import join
from sso_proxy.errors import Mistake
from sso_proxy.specs.oauth.protected_resource import (
    MEMBERS,
    Identifier,
    read_identifier,
)

_OURS_ALONE = ("methods", "headers", "max_age")
_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
_PAGE = re.compile(r"https?://[^\s\"<>\\^`{|}]+", re.ASCII)
_ISSUER = re.compile(r"https?://[^\s\"<>\\^`{|}?#]+", re.ASCII)


def identifier_of(route: RouteConfig) -> Identifier | None:
    """
    Give the identifier of the resource that *route* is, if it says that it is one.

    Raises:
        ValueError: It has none, or one that cannot be used.
    """
    if route.resource is None:
        return None
    if route.resource.identifier is not None:
        return read_identifier(route.resource.identifier)
    if route.host.startswith("*") or "{" in route.path:
        raise ValueError("is missing; host and path of the route are patterns")
    return read_identifier(f"https://{route.host}{route.path}")


def check_answers(draft: Draft) -> Iterator[Mistake]:
    """Check what each route tells clients."""
    for route in draft.routes:
        if (cors := route.value.cors) is not None:
            yield from _check_cors(route, cors)
        if (resource := route.value.resource) is not None:
            path = join(route.path, "resource")
            yield from _check_identifier(route, draft)
            yield from _check_members(path, resource)
            yield from _check_extra(join(path, "extra"), resource.extra)


def _check_cors(route: Placed[RouteConfig], cors: CorsConfig) -> Iterator[Mistake]:
    path, allowed = join(route.path, "cors"), route.value.methods
    for option, words, problem_of in (
        ("origins", cors.origins, lambda word: _origin_problem(word, cors.origins)),
        ("methods", cors.methods, lambda word: _method_problem(word, allowed)),
        ("headers", cors.headers, _field_problem),
        ("expose", cors.expose, _field_problem),
    ):
        for number, word in enumerate(words):
            if problem := problem_of(word):
                yield Mistake(join(join(path, option), number), problem)
    if cors.credentials and "*" in cors.origins:
        problem = "pages of any origin could act for the user; list the origins"
        yield Mistake(join(path, "credentials"), problem)
    written = route.raw.get("cors", {}) if cors.preflight == "backend" else {}
    for option in written:
        if option in _OURS_ALONE:
            problem = "has no effect with preflight = 'backend'"
            yield Mistake(join(path, option), problem)


def _method_problem(method: str, allowed: tuple[str, ...]) -> str | None:
    if method == "*":
        return "'*' is no method; name them"
    if allowed and method not in allowed:
        return f"{method!r} is none of the route's methods"
    return method_problem(method)


def _field_problem(name: str) -> str | None:
    if not FIELD_NAME.fullmatch(name) or name == "*":
        return f"{name!r} is no header field's name"
    return None


def _origin_problem(origin: str, origins: tuple[str, ...]) -> str | None:
    if origin == "*":
        return "'*' is any origin; it stands alone" if len(origins) > 1 else None
    if problem := origin_problem(origin):
        return problem
    if origin.endswith(":443" if origin.startswith("https:") else ":80"):
        return f"browsers write {origin.rpartition(':')[0]!r}, without the usual port"
    return None


def _check_identifier(route: Placed[RouteConfig], draft: Draft) -> Iterator[Mistake]:
    """Check that the route is what its identifier names, and serves the metadata."""
    path = join(join(route.path, "resource"), "identifier")
    try:
        identifier = identifier_of(route.value)
    except ValueError as e:
        yield Mistake(path, str(e))
        return
    if identifier is None:
        return
    host = identifier.host
    patterns = {other.value.host for other in draft.routes}
    wanted = (host, "*." + host.partition(".")[2], "*")
    serving = next((pattern for pattern in wanted if pattern in patterns), None)
    if serving != route.value.host:
        problem = f"requests for {host!r} do not come to this route's host"
        yield Mistake(path, problem)
    elif not identifier.covers(route.value.path):
        problem = (
            f"the route's path {route.value.path!r} is not below {identifier.text!r}"
        )
        yield Mistake(path, problem)


def _check_members(path: str, resource: ResourceConfig) -> Iterator[Mistake]:
    servers = enumerate(resource.authorization_servers or ())
    for number, issuer in servers:
        if not _ISSUER.fullmatch(issuer):
            problem = f"{issuer!r} is no issuer; write 'https://login.example.com'"
            yield Mistake(join(join(path, "authorization_servers"), number), problem)
    for number, scope in enumerate(resource.scopes_supported):
        if not _SCOPE.fullmatch(scope):
            problem = f"{scope!r} is no scope"
            yield Mistake(join(join(path, "scopes_supported"), number), problem)
    for option in ("documentation", "policy_uri", "tos_uri"):
        page = getattr(resource, option)
        if page and not _PAGE.fullmatch(page):
            yield Mistake(join(path, option), f"{page!r} is no URL of a page")


def _check_extra(path: str, extra: Mapping[str, object]) -> Iterator[Mistake]:
    for name, value in extra.items():
        if name in MEMBERS:
            yield Mistake(join(path, name), "is made of the other options")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            yield Mistake(join(path, name), f"JSON cannot say {value!r}")
