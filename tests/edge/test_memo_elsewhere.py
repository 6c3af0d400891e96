"""Requests over several connections that are alike, or only look like it."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.routing import Route
from tests.support.doubles import FakeUpstream, Scene, answer_ok, make_route
from tests.support.repeating import ByToken, check_as_fresh, request_of, send

# What is recalled, and what is like the first head


def html(name: bytes, line: bytes = b"GET / HTTP/1.1") -> bytes:
    return request_of(name, line).replace(b"*/*", b"text/html")


def scene_with_two_routes() -> Scene:
    taken = frozenset({"authorization", "dpop"})
    both: dict[str, Any] = {"authenticators": (ByToken(),), "consumed": taken}
    return Scene(
        routes=lambda backend: [
            make_route(backend, **both),
            make_route(backend, path="/next/", **both),
        ]
    )


NEXT = b"GET /next/ HTTP/1.1"


@pytest.mark.parametrize(
    "then",
    [
        [html(b"bob"), html(b"bob", NEXT)],
        [html(b"alice", NEXT), request_of(b"bob", NEXT), html(b"bob", NEXT)],
        [request_of(b"bob"), html(b"alice", NEXT), request_of(b"carol", NEXT)],
    ],
)
def test_what_was_recalled_is_not_taken_for_the_head_that_others_are_like(
    then: list[bytes],
) -> None:
    scene = scene_with_two_routes()
    other, _ = scene.connect()
    send(scene, other, html(b"alice"))
    send(scene, scene.client, request_of(b"alice"))
    for request in [html(b"alice"), *then]:
        exchange = check_as_fresh(scene, scene_with_two_routes, request, scene.client)
        assert exchange is not None
        answer_ok(exchange)


def test_a_request_line_that_went_the_whole_way_is_a_repetition_then() -> None:
    scene = scene_with_two_routes()
    by = scene.client.handler
    for line in (b"GET / HTTP/1.1", NEXT, NEXT, NEXT):
        send(scene, scene.client, request_of(b"alice", line))
    assert by is scene.connection
    assert not scene.read_whole()
    routes = scene.routes.of_host("app.example.com")
    assert routes is not None
    found = routes.find("/next/")
    assert found is not None
    assert found.authenticators[0].asked == ["alice", "alice"]  # type: ignore[attr-defined]  # ByToken


# Any order of requests


ROUTES: dict[str, dict[str, Any]] = {
    "/": {},
    "/alice/": {"requirements": "subject == 'alice' and method == 'GET'"},
    "/path/": {"requirements": "path in ['/path/a', '/path/b']"},
    "/own/": {"consumed": frozenset()},
    "/get/": {"methods": frozenset({"GET"})},
}


def make_scene() -> Scene:
    def routes(backend: FakeUpstream) -> list[Route]:
        made = []
        for host in ("app.example.com", "other.example.com"):
            for path, more in ROUTES.items():
                options = {"consumed": frozenset({"authorization", "dpop"}), **more}
                if host == "other.example.com" and path == "/":
                    options["requirements"] = "subject != 'bob'"
                if "requirements" in options:
                    text = options["requirements"]
                    options["requirements"] = Requirements(
                        [compile_condition(text, "require[0]")]
                    )
                by = (ByToken(),)
                name = host + path
                made.append(
                    make_route(
                        backend,
                        name=name,
                        host=host,
                        path=path,
                        authenticators=by,
                        **options,
                    )
                )
        return made

    return Scene(routes=routes)


PLAIN = st.tuples(
    st.sampled_from(range(2)),
    st.sampled_from([b"alice", b"bob"]),
    st.just(b"GET"),
    st.sampled_from([b"/", b"/get/"]),
    st.just(b"app.example.com"),
    st.sampled_from([b"*/*", b"text/html"]),
)
REQUESTS = st.tuples(
    st.sampled_from(range(4)),
    st.sampled_from([b"alice", b"bob", b"bad"]),
    st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS"]),
    st.sampled_from([b"/", b"/alice/x", b"/path/a", b"/path/c", b"/own/", b"/get/"]),
    st.sampled_from([b"app.example.com", b"other.example.com"]),
    st.sampled_from([b"*/*", b"text/html"]),
)


@given(st.lists(st.one_of(PLAIN, PLAIN, REQUESTS, REQUESTS, st.none()), max_size=40))
def test_nobody_gets_anything_but_what_a_fresh_proxy_would_give(
    steps: list[tuple[int, bytes, bytes, bytes, bytes, bytes] | None],
) -> None:
    """Three connections are alike, one is another client's; None is a revocation."""
    scene = make_scene()
    clients = [scene.client, *(scene.connect()[0] for _ in range(2))]
    near = scene.facts
    far = scene.facts = attrs.evolve(near, peer="192.0.2.99")
    clients.append(scene.connect()[0])

    def make_far() -> Scene:
        fresh = make_scene()
        fresh.facts = far
        fresh.client, _ = fresh.connect()
        return fresh

    for step in steps:
        if step is None:
            scene.site.decide_anew()
            continue
        who, name, method, path, host, accept = step
        request = request_of(name, method + b" " + path + b" HTTP/1.1")
        request = request.replace(b"app.example.com", host).replace(b"*/*", accept)
        make = make_scene if who < 3 else make_far
        exchange = check_as_fresh(scene, make, request, clients[who])
        if exchange is not None:
            answer_ok(exchange)
