"""What requests with tickets of either kind have in common."""

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import attrs

from sso_proxy.net.clock import SystemClock
from sso_proxy.pipeline import Pipeline
from sso_proxy.routing import RouteHeaders
from tests.support.doubles import Scene

HEADERS = RouteHeaders(
    user="X-Env-User", claims=(("tokens", "X-Env-Tokens"), ("udata", "X-Env-Data"))
)
fields_of = re.compile(rb"\r\n([A-Za-z-]+): ([^\r]*)").findall


def head_of(line: str, *fields: str) -> bytes:
    """Give the head of a request."""
    lines = [f"{line} HTTP/1.1", "Host: app.test", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def seen(head: bytes) -> Iterator[tuple[str, str]]:
    """Give what the backend saw of a ticket, octet for character."""
    found = {name.lower(): value for name, value in fields_of(head)}
    for name, field in {
        "user": b"x-env-user",
        "tok": b"x-env-tokens",
        "data": b"x-env-data",
    }.items():
        yield name, unquote_to_bytes(found.get(field, b"")).decode("latin-1")


def trust_local(scene: Scene) -> None:
    """Have 127.0.0.1 be a proxy of ours."""
    scene.facts = attrs.evolve(scene.facts, trusted=True)
    pipeline = Pipeline(
        scene.routes,
        clock=SystemClock(),
        trusted=lambda address: address == "127.0.0.1",
        via="proxy",
        new_id=scene.new_id,
    )
    scene.site.rules = attrs.evolve(scene.site.rules, pipeline=pipeline)
