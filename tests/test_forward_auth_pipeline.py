"""Only trusted proxies ask, about nothing but what they forward, and say it once."""

from pathlib import Path

import pytest

from sso_proxy.model import Headers
from sso_proxy.specs.http.client_cert import build_client_cert
from sso_proxy.testing.fakes import make_certificate
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.proofs import ProofSigner
from tests.support.device_browser import Answer, Sent
from tests.support.forward_auth_scene import (
    ALICE,
    KINDS,
    AskedWorld,
    Kind,
    Question,
)

ADMIN = ("Authorization", "Name admin")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> AskedWorld:
    return AskedWorld(tmp_path_factory.mktemp("asked"), "traefik")


def reason(world: AskedWorld) -> str:
    return str(world.instance.audit()[-1]["reason"])


def without_secrets(answer: Answer) -> bool:
    return not any(name.startswith("x-remote") for name, _ in answer.fields)


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_trusted_proxy_gets_answers(tmp_path: Path, kind: Kind) -> None:
    """Whoever finds the port would learn what only the backend is to get."""
    world = AskedWorld(tmp_path, kind)
    assert world.ask("/", ALICE).status == 200
    world.instance.from_elsewhere()
    answer = world.ask("/", ALICE)
    assert (answer.status, without_secrets(answer)) == (403, True)
    assert reason(world) == "not-trusted"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_else_is_served_where_proxies_ask(tmp_path: Path, kind: Kind) -> None:
    world = AskedWorld(tmp_path, kind)
    refused = 403 if kind == "nginx" else 404
    for host, path in (
        ("other.example.com", "/"),  # a route that we forward ourselves
        ("app.example.com", "/.sso/login"),
        ("app.example.com", "/.sso/logout"),
        ("app.example.com", "/.sso/"),
        ("app.example.com", "/.sso%2Flogin"),
    ):
        answer = world.ask(path, ALICE, host=host)
        assert answer.status in {refused, 400}, (path, answer)
        assert without_secrets(answer)
    assert world.instance.seen() == []


def test_who_does_not_ask_gets_nothing_that_is_the_backends(world: AskedWorld) -> None:
    """Clients who get to us past the other proxy, or by it: nothing is here."""
    question = Question("GET", "https://app.example.com/", (ALICE,))
    for kind in KINDS:
        sent = question.sent_by(kind)
        answer = world.direct(
            Sent(
                method="GET",
                path="/",
                fields=(("Host", "app.example.com"), *sent.fields[1:]),
            )
        )
        assert (answer.status, without_secrets(answer)) == (404, True)
        assert world.direct.audit()[-1]["reason"] == "no-backend"


@pytest.mark.parametrize(
    "field",
    [
        ("X-Forwarded-Uri", "/public/"),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Host", "other.example.com"),
        ("X-Forwarded-Proto", "http"),
        ("x-forwarded-uri", "/admin/x"),
        ("X-Original-URL", "https://app.example.com/public/"),
        ("X-Rewrite-URL", "/public/"),
        ("X_Forwarded_Uri", "/public/"),
        ("X-Remote-User", "admin"),
        ("X_Remote.User", "admin"),
        ("X-Claim-Email", "admin@example.com"),
        ("X-Claim-Other", "admin"),
        ("X-HTTP-Method-Override", "GET"),
        ("Forwarded", "for=10.0.0.1"),
        ("Forwarded", "for=203.0.113.5;proto=http"),
    ],
)
@pytest.mark.parametrize("path", ["/admin/x", "/public/x"])
def test_what_a_client_adds_decides_nothing(
    world: AskedWorld, field: tuple[str, str], path: str
) -> None:
    """Proxies that pass it on besides their own would pass it to backends, too."""
    answer = world.ask(path, ADMIN, field)
    assert (answer.status, without_secrets(answer)) == (400, True)


def test_a_field_that_carries_a_name_must_not_come_with_a_question(
    tmp_path: Path,
) -> None:
    """As names go that begin with X-Forwarded-, which are read for other reasons."""
    world = AskedWorld(tmp_path, "caddy", headers="user = 'X-Forwarded-Email'")
    assert world.ask("/", ALICE).values("x-forwarded-email") == ["alice"]
    assert world.ask("/", ALICE, ("X-Forwarded-Email", "admin")).status == 400
    assert reason(world) == "field-forged"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/public/../admin/x", 400),
        ("/public/%2e%2e/admin/x", 400),
        ("/public//x", 400),
        ("/public/..%2fadmin/x", 400),
        ("/public/..%5Cadmin/x", 400),
        ("/public/;a/x", 400),
        ("/%61dmin/x", 403),
        ("/admin%2fx", 400),
        ("/ADMIN/x", 200),
        ("/public/x?/../admin", 200),
    ],
)
def test_every_spelling_of_a_path_is_one_path_or_none(
    world: AskedWorld, path: str, status: int
) -> None:
    assert world.ask(path, ALICE).status == status


def test_huge_fields_are_refused(world: AskedWorld) -> None:
    answer = world.ask("/" + "a" * 70_000, ALICE)
    assert answer.status == 431


def test_what_is_on_record_is_what_the_client_asked_for(world: AskedWorld) -> None:
    question = Question("PATCH", "https://app.example.com:8443/a?b", (ALICE,))
    assert world.instance(question.sent_by("traefik")).status == 200
    record = world.instance.audit()[-1]
    assert (record["method"], record["path"]) == ("PATCH", "/a")


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_is_the_clients_and_never_the_proxys(
    tmp_path: Path, kind: Kind
) -> None:
    """Else everybody would be the proxy, which may have to show one of its own."""
    world = AskedWorld(tmp_path, kind)
    issued = Pki.create().issue("alice", client=True)
    said = ("Client-Cert", build_client_cert(issued.der))
    for _ in range(2):
        answer = world.ask("/certified/", said)
        assert (answer.status, answer.values("x-remote-user")) == (200, ["CN=alice"])
        assert world.ask("/certified/").status in {401, 403}
        world.instance.with_certificate(make_certificate("CN=proxy"))


def test_a_proof_is_for_what_the_client_asked_for(world: AskedWorld) -> None:
    key = ProofSigner.create()
    url = "https://app.example.com/proved/a"
    fields = (ALICE, ("X-Key", key.thumbprint))
    proof = ("DPoP", key.prove("GET", url, "alice", world.clock.time()))
    assert world.ask("/proved/a", *fields).status == 401
    assert world.ask("/proved/b", *fields, proof).status == 401
    assert world.ask("/proved/a", *fields, proof, method="PUT").status == 401
    assert world.ask("/proved/a", *fields, proof).status == 200
    assert world.ask("/proved/a", *fields, proof).status == 401  # once


def test_a_whole_url_is_not_changed_by_what_a_client_says(tmp_path: Path) -> None:
    """Where nginx says it all in one field, nothing else says the scheme."""
    world = AskedWorld(tmp_path, "nginx")
    fields = (
        ("Host", "sso.internal"),
        ("X-Original-Method", "GET"),
        ("X-Original-URL", "https://app.example.com/"),
        ("X-Forwarded-For", "203.0.113.5"),
        ALICE,
    )
    assert world.instance(Sent(method="GET", path="/", fields=fields)).status == 200
    said = (*fields, ("Forwarded", "for=203.0.113.5;proto=http"))
    assert world.instance(Sent(method="GET", path="/", fields=said)).status == 403
    assert reason(world) == "forwarded-conflict"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_kept_for_after_a_login(tmp_path: Path, kind: Kind) -> None:
    """It would be sent again by the browser, and get to the backend."""
    world = AskedWorld(tmp_path, kind)
    browser = world.browser()
    assert browser.submit("/orders", b"a=1").status == 401
    away = browser.visit("/orders?" + "a" * 3000)
    query = away.location.partition("?")[2]
    page = browser.visit(f"/.sso/callback/corp?{query}&user=bob")
    assert (page.status, page.location) == (303, "/")


def upgrade(origin: str) -> Headers:
    return (
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
        ("Origin", origin),
    )


def test_websockets_are_opened_by_own_pages_alone(tmp_path: Path) -> None:
    own, foreign = "https://app.example.com", "https://evil.example"
    (tmp_path / "a").mkdir()
    world = AskedWorld(tmp_path / "a", "caddy", route='upgrade = ["websocket"]')
    assert world.ask("/", ALICE, *upgrade(own)).status == 200
    assert world.ask("/", ALICE, *upgrade(foreign)).status == 403
    (tmp_path / "b").mkdir()
    world = AskedWorld(tmp_path / "b", "caddy")
    assert world.ask("/", ALICE, *upgrade(own)).status == 403


@pytest.mark.parametrize("kind", KINDS)
def test_people_log_in_through_the_other_proxy(tmp_path: Path, kind: Kind) -> None:
    world = AskedWorld(tmp_path, kind)
    browser = world.log_in(path="/orders?all", user="bob")
    assert world.users == ["bob"]
    assert browser.fetch("/data").body == b"ok"
    browser.cookies.clear()
    assert browser.fetch("/data").status == 401
