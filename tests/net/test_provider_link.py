"""Requests to a provider prove who we are, and are sent again where that is safe."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sso_proxy.net.http_client import ClientTls, HttpReply, NoReplyError, Trouble
from sso_proxy.net.provider_link import ClientIdentity, ProviderLink
from sso_proxy.specs.jose.compact import split_segments
from sso_proxy.specs.jose.sign import read_signing_key
from sso_proxy.specs.jose.strict import decode_base64url, read_json_object
from sso_proxy.specs.oauth.client_auth import ClientAuth
from sso_proxy.specs.oauth.dpop import token_hash
from sso_proxy.specs.oauth.dpop_proof import read_proof_key
from sso_proxy.testing.clock import SettableClock

TOKEN_URL = "https://op.example.com/token"
USERINFO = "https://op.example.com/me?a=b"
PEM = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
KEY = read_proof_key(PEM)
JSON = ("content-type", "application/json")
OLD = ClientAuth(method="client_secret_basic", client_id="rp", secret="old")
NEW = attrs.evolve(OLD, secret="new")
BEARER, DPOP = "Bearer", "DPoP"


def reply(status: int = 200, *, nonce: str = "", **members: str) -> HttpReply:
    headers = (JSON, ("dpop-nonce", nonce)) if nonce else (JSON,)
    return HttpReply(status=status, headers=headers, body=json.dumps(members).encode())


def wanting(nonce: str) -> HttpReply:
    """Refuse as an authorization server that wants *nonce* (RFC 9449 section 8)."""
    return reply(400, nonce=nonce, error="use_dpop_nonce")


def challenging(
    nonce: str, challenge: str = 'DPoP error="use_dpop_nonce"'
) -> HttpReply:
    """Refuse as a resource server that wants *nonce* (section 9)."""
    headers = (("www-authenticate", challenge), ("dpop-nonce", nonce))
    return HttpReply(status=401, headers=headers)


REFUSED = reply(401, error="invalid_client")
GOOD = reply(token="t")


@attrs.define
class Wire:
    """Answers one after the other, and notes what was sent."""

    answers: list[HttpReply | Exception]
    sent: list[dict[str, Any]] = attrs.field(factory=list)

    async def get(
        self, url: str, headers: Mapping[str, str], **limits: object
    ) -> HttpReply:
        return self._answer({"url": url, "headers": headers, "fields": (), **limits})

    async def post_form(
        self,
        url: str,
        fields: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        **limits: object,
    ) -> HttpReply:
        return self._answer(
            {"url": url, "headers": headers, "fields": fields, **limits}
        )

    def _answer(self, request: dict[str, Any]) -> HttpReply:
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def proof(self, number: int) -> dict[str, Any]:
        """Give the claims of the proof in a request."""
        return claims(self.sent[number]["headers"]["DPoP"])

    @property
    def nonces(self) -> list[str | None]:
        """Give the nonce in each proof."""
        return [self.proof(number).get("nonce") for number in range(len(self.sent))]


def claims(text: str) -> dict[str, Any]:
    payload = split_segments(text, max_bytes=8192).payload
    return read_json_object(decode_base64url(payload))


def counting() -> Callable[[], str]:
    numbers: Iterator[int] = iter(range(1000))
    return lambda: f"unique-{next(numbers)}"


def link(*answers: HttpReply | Exception, **options: Any) -> tuple[ProviderLink, Wire]:  # noqa: ANN401
    wire = Wire([*answers])
    identity = ClientIdentity(**{"clients": [OLD], **options})
    client: Any = wire
    return ProviderLink(identity, client, SettableClock(), counting()), wire


def run(coroutine: Any) -> HttpReply:  # noqa: ANN401
    """Run what does not wait here."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        answer: HttpReply = end.value
        return answer
    raise AssertionError("it waits")


def test_a_form_is_sent_with_what_proves_who_we_are() -> None:
    tls = ClientTls(ca=b"ca")
    sending, wire = link(GOOD, tls=tls, within=2.5)
    assert run(sending.post(TOKEN_URL, (("code", "c"),))) is GOOD
    (sent,) = wire.sent
    assert sent["fields"] == (("code", "c"),)
    assert sent["headers"]["authorization"].startswith("Basic ")
    assert (sent["tls"], sent["within"]) == (tls, 2.5)
    assert "DPoP" not in sent["headers"]
    assert not sent.get("repeatable")


def test_what_may_be_asked_twice_is_said_to_be() -> None:
    sending, wire = link(GOOD)
    assert run(sending.post(TOKEN_URL, (), repeatable=True)) is GOOD
    assert wire.sent[0]["repeatable"]


def test_no_field_stands_twice() -> None:
    client = ClientAuth(method="client_secret_post", client_id="rp", secret="s")
    sending, wire = link(GOOD, clients=[client])
    run(sending.post(TOKEN_URL, (("client_id", "rp"), ("scope", "a"))))
    assert wire.sent[0]["fields"] == (
        ("scope", "a"),
        ("client_id", "rp"),
        ("client_secret", "s"),
    )


def test_what_says_who_we_are_stays_where_nothing_else_does() -> None:
    """A pushed request has to have client_id, also beside Basic (RFC 9126 2.1)."""
    sending, wire = link(GOOD)
    run(sending.post(TOKEN_URL, (("client_id", "rp"),)))
    assert wire.sent[0]["fields"] == (("client_id", "rp"),)


def test_a_proof_is_for_its_request_alone() -> None:
    sending, wire = link(GOOD, GOOD, proof_key=KEY)
    for _ in range(2):
        run(sending.post(TOKEN_URL, ()))
    first, second = wire.proof(0), wire.proof(1)
    assert (first["htm"], first["htu"]) == ("POST", TOKEN_URL)
    assert "ath" not in first
    assert first["jti"] != second["jti"]


def test_a_nonce_is_asked_for_once_and_remembered() -> None:
    sending, wire = link(wanting("n1"), reply(nonce="n2"), GOOD, GOOD, proof_key=KEY)
    assert run(sending.post(TOKEN_URL, ())).status == 200
    assert run(sending.post("https://op.example.com/par", ())).status == 200
    assert run(sending.post("https://other.example.com/token", ())).status == 200
    assert wire.nonces == [None, "n1", "n2", None]


@pytest.mark.parametrize(
    "answers",
    [
        [wanting("n1"), wanting("n2"), GOOD],
        [reply(400, error="use_dpop_nonce"), GOOD],
        [wanting("two words"), GOOD],
    ],
)
def test_nonces_without_end_are_refusals(answers: list[HttpReply]) -> None:
    sending, wire = link(*answers, proof_key=KEY)
    assert run(sending.post(TOKEN_URL, ())).status == 400
    assert len(wire.sent) == len(answers) - 1


def test_the_same_nonce_again_is_no_reason_to_ask_again() -> None:
    sending, wire = link(reply(nonce="n1"), wanting("n1"), GOOD, proof_key=KEY)
    run(sending.post(TOKEN_URL, ()))
    assert run(sending.post(TOKEN_URL, ())).status == 400
    assert wire.nonces == [None, "n1"]


def test_nonces_are_nothing_to_a_client_without_a_key() -> None:
    sending, wire = link(wanting("n1"), GOOD)
    assert run(sending.post(TOKEN_URL, ())).status == 400
    assert len(wire.sent) == 1


def test_a_request_that_is_sent_again_has_a_new_assertion() -> None:
    client = ClientAuth(
        method="private_key_jwt",
        client_id="rp",
        key=read_signing_key(PEM),
        audience="https://op.example.com",
    )
    sending, wire = link(wanting("n1"), GOOD, clients=[client], proof_key=KEY)
    run(sending.post(TOKEN_URL, (("code", "c"),)))
    seen = [claims(dict(s["fields"])["client_assertion"])["jti"] for s in wire.sent]
    assert len(set(seen)) == 2
    assert all(dict(sent["fields"])["code"] == "c" for sent in wire.sent)


def secrets_of(wire: Wire) -> list[str]:
    known = {}
    for client in (OLD, NEW):
        one, sent = link(GOOD, clients=[client])
        run(one.post(TOKEN_URL, ()))
        known[sent.sent[0]["headers"]["authorization"]] = client.secret
    return [known[sent["headers"]["authorization"]] for sent in wire.sent]


def test_the_other_secret_is_tried_once_and_remembered() -> None:
    sending, wire = link(REFUSED, GOOD, GOOD, clients=[OLD, NEW])
    assert run(sending.post(TOKEN_URL, ())).status == 200
    assert run(sending.post(TOKEN_URL, ())).status == 200
    assert secrets_of(wire) == ["old", "new", "new"]
    assert not sending.refused


def test_a_secret_that_comes_back_is_found_again() -> None:
    sending, wire = link(REFUSED, GOOD, REFUSED, GOOD, clients=[OLD, NEW])
    for _ in range(2):
        assert run(sending.post(TOKEN_URL, ())).status == 200
    assert secrets_of(wire) == ["old", "new", "new", "old"]


def test_two_refused_secrets_are_a_refusal() -> None:
    sending, wire = link(REFUSED, REFUSED, GOOD, clients=[OLD, NEW])
    assert run(sending.post(TOKEN_URL, ())).status == 401
    assert secrets_of(wire) == ["old", "new"]
    assert sending.refused
    assert run(sending.post(TOKEN_URL, ())).status == 200
    assert not sending.refused


def test_a_refused_code_says_nothing_about_the_secret() -> None:
    answer = reply(400, error="invalid_grant")
    sending, wire = link(answer, clients=[OLD, NEW])
    assert run(sending.post(TOKEN_URL, ())) is answer
    assert not sending.refused
    assert len(wire.sent) == 1


def test_the_other_secret_is_found_where_nonces_are_wanted_too() -> None:
    sending, wire = link(REFUSED, wanting("n"), GOOD, clients=[OLD, NEW], proof_key=KEY)
    assert run(sending.post(TOKEN_URL, ())).status == 200
    assert secrets_of(wire) == ["old", "new", "new"]


def test_a_request_without_an_answer_is_not_sent_again() -> None:
    failure = NoReplyError("op: gone", problem="gone", trouble=Trouble.GARBLED)
    sending, wire = link(failure, GOOD, clients=[OLD, NEW], proof_key=KEY)
    with pytest.raises(NoReplyError):
        run(sending.post(TOKEN_URL, ()))
    assert len(wire.sent) == 1


@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_is_an_answer(status: int) -> None:
    headers = (("location", "https://evil.example.com/"), JSON)
    answer = HttpReply(status=status, headers=headers, body=b"{}")
    sending, wire = link(answer, proof_key=KEY)
    assert run(sending.post(TOKEN_URL, ())) is answer
    assert len(wire.sent) == 1


def test_a_bearer_token_goes_into_the_header_or_the_form() -> None:
    sending, wire = link(GOOD, GOOD, proof_key=KEY)
    run(sending.fetch(USERINFO, "t", BEARER))
    run(sending.fetch(USERINFO, "t", BEARER, in_body=True))
    header, form = wire.sent
    assert header["headers"]["Authorization"] == "Bearer t"
    assert "Authorization" not in form["headers"]
    assert form["fields"] == (("access_token", "t"),)
    assert "DPoP" not in header["headers"]


@pytest.mark.parametrize("in_body", [False, True])
def test_a_bound_token_goes_with_a_proof_for_it(in_body: bool) -> None:  # noqa: FBT001
    sending, wire = link(GOOD, proof_key=KEY)
    run(sending.fetch(USERINFO, "t", DPOP, in_body=in_body))
    assert wire.sent[0]["headers"]["Authorization"] == "DPoP t"
    proof = wire.proof(0)
    assert proof["ath"] == token_hash("t")
    assert (proof["htm"], proof["htu"]) == ("GET", "https://op.example.com/me")


@pytest.mark.parametrize(
    "challenge",
    [
        'DPoP error="use_dpop_nonce", error_description="x"',
        "dpop error=use_dpop_nonce",
        'DPOP algs="ES256", ERROR = "use_dpop_nonce"',
    ],
)
def test_a_resource_server_may_want_a_nonce_of_its_own(challenge: str) -> None:
    sending, wire = link(
        reply(nonce="as"), challenging("rs", challenge), GOOD, proof_key=KEY
    )
    run(sending.post(TOKEN_URL, ()))
    assert run(sending.fetch(USERINFO, "t", DPOP)).status == 200
    assert wire.nonces == [None, None, "rs"]
    assert wire.proof(1)["jti"] != wire.proof(2)["jti"]


@pytest.mark.parametrize(
    "answers",
    [
        [challenging("n1"), challenging("n2"), GOOD],
        [challenging("n1", 'DPoP error="invalid_token"'), GOOD],
        [HttpReply(status=401), GOOD],
        [attrs.evolve(challenging("n1"), status=400), GOOD],
    ],
)
def test_a_resource_is_asked_again_once_at_most(answers: list[HttpReply]) -> None:
    sending, wire = link(*answers, proof_key=KEY)
    assert run(sending.fetch(USERINFO, "t", DPOP)).status in {400, 401}
    assert len(wire.sent) == len(answers) - 1


def test_a_bound_token_without_its_key_is_sent_nowhere() -> None:
    sending, wire = link(GOOD)
    with pytest.raises(ValueError, match="bound to a key"):
        run(sending.fetch(USERINFO, "t", DPOP))
    assert wire.sent == []


def test_a_certificate_is_one_only_with_a_certificate() -> None:
    assert not ClientIdentity(clients=[OLD]).has_certificate
    assert not ClientIdentity(clients=[OLD], tls=ClientTls(ca=b"")).has_certificate
    tls = ClientTls(certificate=b"c", key=b"k")
    assert ClientIdentity(clients=[OLD], tls=tls).has_certificate
