"""What strangers send to where devices are proved, and what comes of it."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.device_browser import (
    Answer,
    Bound,
    DeviceBrowser,
    Sent,
    encode,
    make_key,
    sign,
)
from tests.support.device_world import BOUND, CONFIG, HOST, DeviceWorld, only, reasons

KEY, JWK = make_key("ES256")
OURS = (("Origin", f"https://{HOST}"), ("Sec-Fetch-Site", "same-origin"))
RESPONSE, ID = "Secure-Session-Response", "Sec-Secure-Session-Id"
TYPE = "dbsc+jwt"


class Attack:
    """Somebody who has all cookies of Alice, whose bound cookie is over."""

    def __init__(self, directory: Path) -> None:
        self.world = DeviceWorld(directory, "require")
        self.alice = self.world.log_in()
        self.world.pass_(301)
        self.bound = only(self.alice)

    def send(
        self,
        *fields: tuple[str, str],
        path: str = "",
        method: str = "POST",
        body: bytes = b"",
    ) -> Answer:
        """Send something with the cookies."""
        thief = self.alice.copy_cookies()
        text = "; ".join(f"{name}={value}" for name, value in thief.alive().items())
        every = (("Host", HOST), ("Cookie", text), *fields)
        if method == "POST":
            every = (*every, ("Content-Length", str(len(body))))
        self.world.instance.audit()
        sent = Sent(
            method=method, path=path or self.bound.refresh, fields=every, body=body
        )
        return self.world.instance(sent)

    def outcome(self, *fields: tuple[str, str], **more: Any) -> tuple[int, str]:  # noqa: ANN401
        """Give status and reason, once it is seen that nothing has come of it."""
        answer = self.send(*fields, **more)
        assert answer.values("set-cookie") == []
        (reason,) = reasons(self.world)
        return answer.status, reason

    def is_unharmed(self) -> bool:
        """Say whether Alice goes on."""
        return self.world.is_in(self.alice) and self.alice.events == [
            "registered",
            "refreshed",
        ]


@pytest.fixture
def attack(tmp_path: Path) -> Iterator[Attack]:
    found = Attack(tmp_path)
    yield found
    assert found.is_unharmed()


def jws(header: dict[str, Any], payload: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(part).encode() for part in (header, payload))
    return ".".join(encode(part) for part in (*parts, signature))


def test_other_sites_get_nothing_done(attack: Attack) -> None:
    named = (ID, attack.bound.id)
    for fields in (
        (("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")),
        (("Origin", "https://evil.example"),),
        (("Origin", "null"),),
        (("Sec-Fetch-Site", "same-site"),),
        (OURS[0], ("Sec-Fetch-Site", "cross-site")),
    ):
        assert attack.outcome(named, *fields) == (400, "device-foreign")


def test_a_field_that_is_there_twice_counts_for_nothing(attack: Attack) -> None:
    named = (ID, attack.bound.id)
    assert attack.outcome(*OURS, named, named) == (400, "device-twice")
    twice = ((RESPONSE, "a.b.c"),) * 2
    assert attack.outcome(*OURS, named, *twice) == (400, "device-twice")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
def test_there_is_one_method(attack: Attack, method: str) -> None:
    named = (ID, attack.bound.id)
    assert attack.outcome(*OURS, named, method=method) == (405, "method")


def test_what_is_no_proof_is_none(attack: Attack) -> None:
    named, challenge = (ID, attack.bound.id), attack.bound.challenge
    header = {"alg": "ES256", "typ": TYPE}
    claims = {"jti": challenge}
    for proof in (
        "",
        "a.b.c",
        "a.b.c, d.e.f",
        '"a.b.c',
        "a." + "b" * 9000 + ".c",
        jws({"alg": "none", "typ": TYPE}, claims),
        jws({"alg": "HS256", "typ": TYPE}, claims, b"x" * 32),
        jws(header, claims, b"x" * 64),
        sign(KEY, "ES256", header, claims),
        sign(KEY, "ES256", {**header, "jwk": JWK}, claims),
    ):
        found = attack.outcome(*OURS, named, (RESPONSE, proof))
        assert found == (400, "device-proof"), proof


def test_fields_that_are_too_long_are_not_read(attack: Attack) -> None:
    found = attack.outcome(*OURS, (ID, "i" * 100_000))
    assert found == (431, "headers-too-long")


def test_other_identifiers_name_nothing(attack: Attack) -> None:
    answer = attack.send(*OURS, (ID, "deadbeefdeadbeef"))
    assert (answer.status, answer.values("set-cookie")) == (200, [])
    assert '"continue":false' in answer.text
    for value in ("", '"', "x" * 300, "\u00fc"):
        found = attack.outcome(*OURS, (ID, value))
        assert found == (400, "device-proof"), value


def test_no_key_is_registered_by_a_challenge_of_another_use(attack: Attack) -> None:
    """Nor by one of a login that is bound already."""
    path = attack.bound.refresh.replace("refresh", "register")
    sent = [sent for sent, _ in attack.alice.trail if sent.path == path]
    payload = sent[0].values(RESPONSE)[0].split(".")[1]
    first = json.loads(urlsafe_b64decode(payload + "=="))
    challenge = attack.bound.challenge
    header = {"alg": "ES256", "typ": TYPE, "jwk": JWK}
    for claims in ({"jti": challenge, "authorization": challenge}, first):
        proof = sign(KEY, "ES256", header, claims)
        answer = attack.send(*OURS, (RESPONSE, proof), path=path)
        assert answer.status in (400, 403), claims
        assert answer.values("set-cookie") == []


def test_other_ways_to_write_the_path_lead_nowhere(attack: Attack) -> None:
    named, path = (ID, attack.bound.refresh), attack.bound.refresh
    for other, status in (
        (path[:-1] + ("0" if path[-1] != "0" else "1"), 404),
        (path + "/", 404),
        (path.rpartition("/")[0], 404),
        (path.replace("dbsc/", "dbsc%2F"), 400),
        (path + ";a=b", 400),
    ):
        assert attack.outcome(*OURS, named, path=other)[0] == status, other


def test_content_is_not_read(attack: Attack) -> None:
    named = (ID, attack.bound.id)
    found = attack.outcome(*OURS, named, body=b"x" * 100_000)
    assert found == (403, "device-challenge")


def test_what_speaks_an_older_version_gets_the_same_answer(attack: Attack) -> None:
    client, _ = attack.world.instance.connect()
    cookie = "; ".join(f"{n}={v}" for n, v in attack.alice.alive().items())
    lines = f"Host: {HOST}\r\nCookie: {cookie}\r\n{ID}: {attack.bound.id}\r\n\r\n"
    client.receive(f"POST {attack.bound.refresh} HTTP/1.0\r\n{lines}".encode())
    head = client.take()
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"Secure-Session-Challenge: " in head
    assert client.closed


def test_no_page_reads_or_frames_an_answer(attack: Attack) -> None:
    answer = attack.send(*OURS, (ID, attack.bound.id))
    assert answer.values("x-frame-options") == ["DENY"]
    assert answer.values("cross-origin-resource-policy") == ["same-origin"]
    assert answer.values("cache-control") == ["no-store"]
    assert answer.values("access-control-allow-origin") == []


@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_who_may_ask_a_route_from_elsewhere_may_not_prove_anything(
    tmp_path: Path, method: str
) -> None:
    cors = 'cors = { origins = ["https://b.example.com"], credentials = true }'
    world = DeviceWorld(tmp_path, route=cors)
    alice = world.log_in()
    fields = (
        ("Host", HOST),
        ("Origin", "https://b.example.com"),
        ("Cookie", "; ".join(f"{n}={v}" for n, v in alice.alive().items())),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", f"{ID}, {RESPONSE}"),
        ("Content-Length", "0"),
    )
    refresh = only(alice).refresh
    asked, page = (
        world.instance(Sent(method=method, path=path, fields=fields))
        for path in (refresh, "/")
    )
    assert asked.status == {"OPTIONS": 405, "POST": 400}[method]
    assert not [name for name, _ in asked.fields if "access-control" in name]
    assert page.values("access-control-allow-origin") == ["https://b.example.com"]


@pytest.mark.parametrize("kind", ["server", "cookie"])
def test_no_shared_cache_keeps_what_is_offered_to_one(
    tmp_path: Path, kind: str
) -> None:
    """It would offer it to others, who could register nothing with that."""
    world = DeviceWorld(tmp_path, kind=kind)
    answers: list[Answer] = []

    def serve(sent: Sent) -> Answer:
        answers.append(world.serve(sent))
        return answers[-1]

    alice = world.log_in(DeviceBrowser(serve, world.clock.time, HOST, keeps=False))
    world.pass_(30)
    assert world.is_in(alice)
    offers = [a for a in answers if a.values("secure-session-registration")]
    assert [answer.status for answer in offers] == [303, 200]
    for answer in offers:
        assert set(answer.values("cache-control")) == {"no-store"}


def test_no_stranger_fills_the_store_with_keys(tmp_path: Path) -> None:
    """Each stays for hours; and the owner of one proves it all the same."""
    limits = "[server]\nlimits = { logins_per_minute = 2 }"
    world = DeviceWorld(tmp_path, config=CONFIG.replace("[server]", limits))
    alice = world.log_in()
    path = only(alice).refresh.replace("refresh", "register")
    assert [alice.post(path, {}).status for _ in "ab"] == [400, 503]
    assert reasons(world)[-1] == "device-pace"
    world.pass_(301)
    assert world.is_in(alice)


def test_a_session_is_nothing_on_another_host(tmp_path: Path) -> None:
    """Nor are its challenges and proofs: each is for one host."""
    route = CONFIG.split("[[route]]")[1].replace(HOST, "b.example.com")
    world = DeviceWorld(tmp_path, "require", config=CONFIG + "[[route]]" + route)
    alice = world.log_in()
    bound: Bound = only(alice)
    other = DeviceBrowser(world.serve, world.clock.time, "b.example.com")
    other.cookies = alice.copy_cookies().cookies
    world.pass_(301)
    answer = other.post(bound.refresh, {ID: bound.id})
    assert (answer.status, answer.values("set-cookie")) == (200, [])
    other.sessions[bound.id] = bound
    proof = sign(
        bound.key, "ES256", {"alg": "ES256", "typ": TYPE}, {"jti": bound.challenge}
    )
    fields = {ID: bound.id, RESPONSE: proof}
    assert BOUND not in str(other.post(bound.refresh, fields).fields)
    assert world.is_in(alice)
