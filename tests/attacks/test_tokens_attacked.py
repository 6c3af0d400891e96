"""Nothing that a client or a token server sends gets a backend another's credential."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.attacks.test_identity_fields import spellings
from tests.support.raw_client import Got, RawClient
from tests.support.recorder import Recorder, Seen
from tests.support.running import REAL, Proxy, eventually
from tests.support.sts import TokenServer
from tests.support.sts_faults import BAD, REFUSALS, SLOW, names
from tests.support.sts_serving import Listening, Shown, listen

CONFIG = """
[server]
drain_timeout = 0.5
audit = {{ to = "file", file = "audit.log" }}
state_dir = "state"

[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true
"""
SOURCE = """
[token.{name}]
type = "exchange"
endpoint = "{url}"
ca = "{ca}"
crl = "{crl}"
client_id = "proxy"
auth = "none"
subject = "{subject}"
subject_type = "jwt"
timeout = {timeout}
keep = {{ negative = 0 }}
"""
ROUTE = """
[[route]]
host = "*"
path = "/{name}/"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:{backend}"
{token}
"""
SUBJECTS = {
    "header": "header:X-Legacy",
    "scheme": "header:Authorization Legacy",
    "cookie": "cookie:legacy",
    "query": "query:legacy",
    "pass": "header:X-Legacy",
    "slow": "header:X-Legacy",
}
PLACES = {
    "header": "",
    "scheme": ', to = "header", field = "X-Backend-Token"',
    "cookie": ', to = "cookie", field = "backend"',
    "query": ', to = "query", field = "backend_token"',
    "pass": ', to = "header", field = "X-Backend-Token", on_error = "pass"',
    "slow": "",
}
_numbers = itertools.count(1)


def secret() -> str:
    """Give a credential that nobody has seen before."""
    return f"legacy-credential-{next(_numbers)}"


@attrs.frozen(kw_only=True)
class Scene:
    """A proxy between clients, backends and a token server, any of which may be bad."""

    directory: Path
    proxy: Proxy
    recorder: Recorder
    sts: TokenServer
    at: Listening

    def ask(self, path: str, *fields: str) -> Got:
        """Ask over a connection of its own."""
        lines = [f"GET {path} HTTP/1.1", "Host: a", *fields, "Connection: close"]
        head = "".join(f"{line}\r\n" for line in lines) + "\r\n"
        with RawClient(self.proxy.port) as client:
            return client.send(head.encode("latin-1")).read_to_end()[0]

    def legacy(self, route: str, value: str) -> Got:
        """Present *value* where it belongs."""
        return self.ask(f"/{route}/", f"X-Legacy: {value}")

    def seen(self) -> list[Seen]:
        """Give what the backend saw."""
        assert self.recorder.garbage == []
        return [*self.recorder.seen]

    def nowhere(self, *words: str, besides: int = 0) -> None:
        """Check that *words* stand in nothing that was logged or sent to a backend."""
        audit = (self.directory / "audit.log").read_text()
        sent = repr([(s.target, s.headers) for s in self.recorder.seen[besides:]])
        for word in words:
            assert word not in self.proxy.log(), "it is in the log"
            assert word not in audit, "it is in the audit log"
            assert word not in sent, "the backend has it"

    def works(self, route: str, value: str) -> None:
        """Check that there is a token for *value*, and nothing of it is passed on."""
        before = len(self.recorder.seen)
        eventually(lambda: self.legacy(route, value).status == 200, "a token")
        [*_, seen] = self.recorder.seen[before:]
        [token] = seen.values("authorization")
        assert token.removeprefix("Bearer ") in self.sts.issued
        self.nowhere(value)


def configuration(at: Listening, backend: int) -> str:
    """Write all routes, each with a token source of its own."""
    parts = [CONFIG.format(), ROUTE.format(name="plain", backend=backend, token="")]
    for name, subject in SUBJECTS.items():
        parts.append(
            SOURCE.format(
                name=name,
                url=at.server.url,
                ca=at.ca,
                crl=at.crl,
                subject=subject,
                timeout=0.4 if name == "slow" else 5,
            )
        )
        token = f'token = [{{ name = "{name}", audience = "{name}"{PLACES[name]} }}]'
        parts.append(ROUTE.format(name=name, backend=backend, token=token))
    return "".join(parts)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("tokens")
    sts = TokenServer()
    with (
        listen(sts, directory, Pki.create()) as at,
        Recorder() as recorder,
        Proxy(directory) as proxy,
    ):
        proxy.config.write_text(configuration(at, recorder.port))
        proxy.start(program=REAL).wait_until_serving()
        yield Scene(directory=directory, proxy=proxy, recorder=recorder, sts=sts, at=at)


@pytest.fixture
def scene(running: Scene) -> Iterator[Scene]:
    said = len(running.proxy.log())
    running.recorder.clear()
    running.sts.heal()
    yield running
    running.sts.heal()
    assert "Traceback" not in running.proxy.log()[said:]
    running.nowhere(
        *(token.rpartition(".")[2] for token in running.sts.issued[-3:]),
        besides=len(running.recorder.seen),
    )


# What a token server does


def expected(name: str) -> set[int]:
    """Give the statuses that say what is wrong."""
    if name in REFUSALS or name == "error-and-token":
        return {401, 403, 502}
    return {502, 503, 504}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_gets_nobody_anything_and_is_forgotten(
    scene: Scene, name: str
) -> None:
    """The backend is not asked, nothing is told, and the next request succeeds."""
    value = secret()
    scene.sts.always(name)
    got = scene.legacy("header", value)
    assert got.status in expected(name), got
    assert scene.seen() == []
    assert value.encode() not in got.body
    assert not [asked for asked in scene.sts.asked if asked.path == "/elsewhere"]
    scene.sts.heal()
    scene.works("header", value)


@pytest.mark.parametrize("name", names(SLOW))
def test_an_answer_that_does_not_come_is_given_up(scene: Scene, name: str) -> None:
    value = secret()
    scene.sts.always(name)
    assert scene.legacy("slow", value).status in {503, 504}
    assert scene.seen() == []
    scene.sts.heal()
    scene.works("slow", value)


@pytest.mark.parametrize("shown", ["wrong-name", "revoked", "expired", "stranger"])
def test_nothing_is_sent_to_a_server_that_is_another(
    scene: Scene, shown: Shown
) -> None:
    value, before = secret(), scene.sts.count
    scene.at.show(shown)
    try:
        assert scene.legacy("header", value).status in {502, 503, 504}
    finally:
        scene.at.show("good")
    assert (scene.sts.count, scene.seen()) == (before, [])
    scene.works("header", value)


@pytest.mark.parametrize("name", BAD)
def test_who_may_pass_without_a_token_passes_without_any(
    scene: Scene, name: str
) -> None:
    """Neither what they presented, nor what they say that we would have given."""
    value = secret()
    scene.sts.always(name)
    forged = [f"{each}: forged" for each in spellings("X-Backend-Token")]
    assert scene.ask("/pass/", f"X-Legacy: {value}", *forged).status == 200
    [seen] = scene.seen()
    assert seen.values("x-backend-token") == []
    assert "forged" not in repr(seen.headers)
    scene.nowhere(value)


# What a client does


@pytest.mark.parametrize("route", ["plain", *SUBJECTS])
def test_nobody_else_says_what_we_deliver(scene: Scene, route: str) -> None:
    """On all routes: some backend behind another one may believe it."""
    value = secret()
    forged = [f"{each}: forged" for each in spellings("X-Backend-Token")]
    presented = {
        "scheme": f"Authorization: Legacy {value}",
        "cookie": f"Cookie: legacy={value}",
    }.get(route, f"X-Legacy: {value}")
    target = f"/{route}/?legacy={value}" if route == "query" else f"/{route}/"
    assert scene.ask(target, presented, *forged).status == 200
    [seen] = scene.seen()
    assert "forged" not in repr(seen.headers)
    if route != "plain":
        kept = [presented.partition(": ")[0]] if route == "query" else []
        seen.headers = [pair for pair in seen.headers if pair[0] not in kept]
        scene.nowhere(value)


@pytest.mark.parametrize(
    "cookies",
    [
        ["legacy={}; backend=forged"],
        ["backend=forged; legacy={}"],
        ["a=b; backend=forged; legacy={}; backend=forged2"],
        ["legacy={}", "backend=forged"],
        ['legacy={}; backend="forged"'],
        ["legacy={};backend=forged"],
        ["legacy={};  backend = forged"],
    ],
)
def test_the_delivered_cookie_is_ours_alone(scene: Scene, cookies: list[str]) -> None:
    value = secret()
    fields = [f"Cookie: {each.format(value)}" for each in cookies]
    got = scene.ask("/cookie/", *fields)
    assert got.status in {200, 400, 403}
    if got.status == 200:
        [seen] = scene.seen()
        sent = "; ".join(seen.values("cookie"))
        assert sent.count("backend") == 1
        assert "forged" not in sent
    scene.nowhere(value)


@pytest.mark.parametrize(
    "forged",
    [
        "backend_token=forged",
        "b%61ckend_token=forged",
        "backend%5ftoken=forged",
        "%62%61%63%6b%65%6e%64%5f%74%6f%6b%65%6e=forged",
        "a=b&backend_token=forged&backend_token=forged",
        "&&backend_token=forged",
        "backend_token",
        "a=b;backend_token=forged",
    ],
)
@pytest.mark.parametrize("query", ["legacy={0}&{1}", "{1}&legacy={0}"])
def test_the_delivered_parameter_is_ours_alone(
    scene: Scene, forged: str, query: str
) -> None:
    value = secret()
    got = scene.ask("/query/?" + query.format(value, forged))
    assert got.status in {200, 400, 403}
    if got.status == 200:
        [seen] = scene.seen()
        assert "forged" not in seen.target
        assert seen.target.count("token") == 1
    scene.nowhere(value)


@pytest.mark.parametrize("name", spellings("X-Legacy")[3:])
def test_a_source_under_another_name_is_none(scene: Scene, name: str) -> None:
    """It is not asked with, and nothing that folds names finds it behind us."""
    value, before = secret(), scene.sts.count
    got = scene.ask("/header/", f"{name}: {value}")
    same = name.lower() == "x-legacy"
    assert got.status == (200 if same else 403)
    assert scene.sts.count == before + same
    assert scene.ask("/pass/", f"{name}: {value}").status == 200
    scene.nowhere(value)


def test_a_source_in_every_spelling_at_once_goes_nowhere(scene: Scene) -> None:
    value = secret()
    others = [f"{each}: smuggled" for each in spellings("X-Legacy")[4:]]
    assert scene.ask("/header/", f"X-Legacy: {value}", *others).status == 200
    assert scene.sts.last["subject_token"] == value
    scene.nowhere(value, "smuggled")


@pytest.mark.parametrize(
    ("target", "fields"),
    [
        ("/cookie/", ["Cookie: legacy={0}; legacy={1}"]),
        ("/cookie/", ["Cookie: legacy={0}", "Cookie: legacy={1}"]),
        ("/query/?legacy={0}&legacy={1}", []),
        ("/query/?legacy={0}&leg%61cy={1}", []),
        ("/header/", ["X-Legacy: {0}", "X-Legacy: {1}"]),
        ("/header/", ["X-Legacy: {0}", "x-legacy: {1}"]),
        ("/scheme/", ["Authorization: Legacy {0}", "Authorization: Legacy {1}"]),
    ],
)
def test_two_sources_are_none(scene: Scene, target: str, fields: list[str]) -> None:
    one, two, before = secret(), secret(), scene.sts.count
    lines = [each.format(one, two) for each in fields]
    assert scene.ask(target.format(one, two), *lines).status in {400, 403}
    assert (scene.sts.count, scene.seen()) == (before, [])
    scene.nowhere(one, two)


def test_a_source_in_another_place_is_not_taken(scene: Scene) -> None:
    """Each route has one place; what stands in the others is no credential there."""
    value, other = secret(), secret()
    fields = [f"X-Legacy: {other}", f"Cookie: legacy={other}"]
    assert scene.ask(f"/query/?legacy={value}", *fields).status == 200
    assert scene.sts.last["subject_token"] == value
    before = scene.sts.count
    assert scene.ask(f"/header/?legacy={value}").status == 403
    assert scene.sts.count == before


ODD = {
    "quotes": """a"b'c""",
    "angle brackets": "<script>alert(1)</script>",
    "form": "a&audience=admin&subject_token=b",
    "percent": "%0d%0aX-Injected:%201",
    "braces": "{{7*7}}${jndi:ldap://x}{0}",
    "semicolons": "a;b,c=d",
    "entity": "&lt;&xxe;]]>",
    "backslashes": "\\u0000\\x1b[31m\\",
}


@pytest.mark.parametrize("route", ["header", "scheme", "query"])
@pytest.mark.parametrize("name", ODD)
def test_whatever_a_source_has_in_it_it_is_one_value(
    scene: Scene, route: str, name: str
) -> None:
    value = f"{ODD[name]}-{secret()}"
    escaped = "".join(f"%{octet:02x}" for octet in value.encode())
    target = f"/query/?legacy={escaped}" if route == "query" else f"/{route}/"
    field = f"Authorization: Legacy {value}"
    field = f"X-Legacy: {value}" if route == "header" else field
    before = scene.sts.count
    got = scene.ask(target, *([] if route == "query" else [field]))
    assert got.status in {200, 400, 403}, got
    if got.status == 200:
        form = [pair for pair in scene.sts.asked[-1].form if pair[0] != "client_id"]
        assert ("subject_token", value) in form
        assert [v for n, v in form if n == "audience"] == [route]
        assert len({n for n, _ in form}) == len(form)
    else:
        assert scene.sts.count == before
    assert value.encode() not in got.body
    scene.nowhere(value)


@pytest.mark.parametrize("octet", "\x00\x01\x1b\x7f\r\n\x0b")
@pytest.mark.parametrize(
    ("target", "field"),
    [("/header/", "X-Legacy: {0}{1}b"), ("/query/?legacy={0}%{2:02x}b", "A: b")],
)
def test_control_characters_are_refused(
    scene: Scene, target: str, field: str, octet: str
) -> None:
    value, before = secret(), scene.sts.count
    parts = (value, octet, ord(octet))
    got = scene.ask(target.format(*parts), field.format(*parts))
    assert 400 <= got.status < 500, got
    assert (scene.sts.count, scene.seen()) == (before, [])
    scene.nowhere(value)


@pytest.mark.parametrize("size", [20_000, 1 << 20])
@pytest.mark.parametrize(
    ("target", "field"),
    [
        ("/header/", "X-Legacy: {}"),
        ("/scheme/", "Authorization: Legacy {}"),
        ("/cookie/", "Cookie: legacy={}"),
        ("/query/?legacy={}", "A: b"),
    ],
)
def test_a_source_of_a_mebibyte_is_refused(
    scene: Scene, target: str, field: str, size: int
) -> None:
    value, before = secret() * (size // 20), scene.sts.count
    got = scene.ask(target.format(value), field.format(value))
    assert 400 <= got.status < 500, got
    assert (scene.sts.count, scene.seen()) == (before, [])
    scene.nowhere(value[:40])


def test_one_callers_token_is_given_to_nobody_else(scene: Scene) -> None:
    """Also over one connection, whose requests differ in nothing but the credential."""
    values = [secret() for _ in range(20)]
    heads = [
        f"GET /header/ HTTP/1.1\r\nHost: a\r\nX-Legacy: {v}\r\n\r\n" for v in values
    ]
    last = "GET /plain/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with RawClient(scene.proxy.port) as client:
        got: Any = client.send("".join([*heads, *heads, last]).encode()).read_to_end()
    assert [each.status for each in got] == [200] * 41
    tokens = [each.values("authorization") for each in scene.seen()[:-1]]
    assert tokens[:20] == tokens[20:]
    assert len({token for [token] in tokens}) == 20
    scene.nowhere(*values)
