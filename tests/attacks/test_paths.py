"""Section B of the reference: one reading of path, query, host and method."""

import pytest

from tests.attacks.conftest import Scene

GUARDED = [
    "/token/x",
    "/token/",
    "//token/x",
    "/./token/x",
    "/%74oken/x",
    "/%74%6f%6b%65%6e/x",
    "/public/../token/x",
    "/public/%2e%2e/token/x",
    "/public/.%2E/token/x",
    "/public//..//token/x",
    "/token/../token/x",
    "/token//x",
    "/token/x?path=/public",
    "/token/x?a=b/../../public",
    "/token/%2e",
    "/admin@site/x",
    "/admin%40site/x",
    "/strip/closed/x",
]


@pytest.mark.parametrize("target", GUARDED)
def test_every_spelling_of_a_guarded_path_is_guarded(scene: Scene, target: str) -> None:
    assert scene.get(target).status == 401
    assert scene.seen() == []


AMBIGUOUS = [
    "/token%2Fx",
    "/token%2fx",
    "/token%5Cx",
    "/public/..%2Ftoken/x",
    "/public%2F..%2Ftoken/x",
    "/public/..;/token/x",
    "/public/.;a=b./token/x",
    "/public/%2e%2e;a/token/x",
    "/../token/x",
    "/public/../../token/x",
    "/%00",
    "/token%00/x",
    "/a%0d%0aX:b",
    "/a%",
    "/a%4",
    "/a%zz",
    "/%c0%af/token",
    "/%c0%ae%c0%ae/token",
    "/%e0%80%af/",
    "/a\\..\\token",
    "/a\\b",
    "/a<b>",
    '/a"b',
    "/a|b",
    "/a^b",
    "/a`b",
    "/a{b}",
    "/a[b]",
    "/\xe4",
    "/token;x/y",
    "/token%3Bx/y",
    "/reject/a;b",
    "/reject/a%3Bb",
    "/strip/..;a/x",
    "/strip/plain/a%2Fb",
    "/strip/closed;a=b/x",
    "/strip/;a/closed/x",
    "/strip/x;a/../closed;b/",
    "/strip/closed%3Ba=b/x",
    "/strip/plain;x/a%2Fb",
]


@pytest.mark.parametrize("target", AMBIGUOUS)
def test_a_path_with_two_readings_is_refused(scene: Scene, target: str) -> None:
    assert scene.get(target).status == 400
    assert scene.seen() == []


SENT = {
    "/a/b": "/a/b",
    "/a/../b": "/b",
    "/a/./b/": "/a/b/",
    "//a///b": "/a/b",
    "/%61%2D%2e%7E%5f": "/a-.~_",
    "/%c3%a4%20%40": "/%C3%A4%20%40",
    "/a/..": "/",
    "/a/.": "/a/",
    "/?a=1;admin=1&a=2&a=%zz#"[:-1]: "/?a=1;admin=1&a=2&a=%zz",
    "/?": "/?",
    "/slashes/a%2fb%5c": "/slashes/a%2Fb%5C",
    "/strip/a;b/c;d": "/strip/a/c",
    "/strip/a%3Bb/c": "/strip/a/c",
    "/TOKEN/x": "/TOKEN/x",
    "/private./x": "/private./x",
    "/private%20/x": "/private%20/x",
    "/tokens": "/tokens",
    "/token%3Fx": "/token%3Fx",
}


@pytest.mark.parametrize("target", SENT)
def test_the_backend_gets_the_path_that_was_decided_on(
    scene: Scene, target: str
) -> None:
    assert scene.get(target).status == 200
    [seen] = scene.seen()
    assert seen.target == SENT[target]
    assert scene.audited(seen.values("x-request-id")[0])["path"] == seen.path


@pytest.mark.parametrize(
    "host",
    [b"a.wild.example", b"A.WILD.example", b"a.wild.example.", b"a.wild.example:80"],
)
def test_every_spelling_of_a_guarded_host_is_guarded(scene: Scene, host: bytes) -> None:
    assert scene.get("/", host=host).status == 401
    assert scene.seen() == []


def test_an_absolute_target_chooses_the_same_route(scene: Scene) -> None:
    for target in (
        "http://a.wild.example/",
        "HTTP://A.wild.EXAMPLE:80",
        "http://a/token/",
    ):
        host = b"a" if "a/" in target else b"a.wild.example"
        assert scene.get(target, host=host).status == 401
    assert scene.seen() == []


@pytest.mark.parametrize(
    "field",
    [
        b"X-Forwarded-Uri: /public",
        b"X-Original-URL: /public",
        b"X-Rewrite-URL: /public",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Method: OPTIONS",
        b"X-Forwarded-Host: public",
        b"Forwarded: host=public;proto=https",
    ],
)
def test_no_field_changes_what_is_decided_on(scene: Scene, field: bytes) -> None:
    assert scene.get("/token/x", field).status == 401
    assert scene.get("/", field, host=b"a.wild.example").status == 401
    assert scene.seen() == []


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/health/live",
        "/health/ready",
        "/sessions",
        "/revocations",
        "/debug",
    ],
)
def test_operators_have_no_paths_where_everybody_is(scene: Scene, path: str) -> None:
    """Theirs are on a listener of their own; here they are the backend's (C28, C33)."""
    health = b"User-Agent: GoogleHC/1.0"
    assert scene.get(path, health).status == 200
    assert scene.get("/token" + path, health).status == 401
    assert [seen.path for seen in scene.seen()] == [path]


@pytest.mark.parametrize("method", [b"OPTIONS", b"HEAD", b"POST", b"PROPFIND"])
def test_no_method_is_exempt(scene: Scene, method: bytes) -> None:
    fields = b"Host: a\r\nOrigin: http://b\r\nAccess-Control-Request-Method: GET\r\n"
    request = method + b" /token/x HTTP/1.1\r\n" + fields + b"\r\n"
    answers = scene.ask(request, heads=(0,) if method == b"HEAD" else ())
    assert [got.status for got in answers] == [401, 200]
    assert scene.seen() == []


def test_a_token_is_judged_anew_on_each_route(scene: Scene) -> None:
    """A good token on one route says nothing about another (B20)."""
    line = scene.token()
    get = b"GET %b HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n"
    paths = [
        b"/token/x",
        b"/token/read/x",
        b"/token/x",
        b"/token/read/x",
        b"/token/read/",
    ]
    with scene.client() as client:
        for count, path in enumerate(paths, 1):
            answers = client.send(get % path).read(count)
    assert [got.status for got in answers] == [200, 403, 200, 403, 403]
    assert [seen.path for seen in scene.seen()] == ["/token/x", "/token/x"]


def test_the_short_way_for_equal_heads_is_guarded_as_the_long_one(scene: Scene) -> None:
    """No repetition gets past the limit of the request line, or to a guarded path."""
    paths = [b"/a", b"/b", b"/token/x", b"/c", b"/.sso/nothing", b"/a%2Fb"]
    rest = b" HTTP/1.1\r\nHost: a\r\n\r\n"
    with scene.client() as client:
        for count, path in enumerate(paths, 1):
            client.send(b"GET " + path + rest).read(count)
        answers = client.send(b"GET /" + b"a" * 20000 + rest).read_to_end()
    assert [got.status for got in answers] == [200, 200, 401, 200, 404, 400, 414]
    assert [seen.path for seen in scene.seen()] == ["/a", "/b", "/c"]
