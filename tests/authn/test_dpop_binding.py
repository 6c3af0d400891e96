"""Tests for `sso_proxy.authn.dpop_binding` (RFC 9449)."""

import re
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from sso_proxy.authn.dpop_binding import (
    PURPOSE,
    DpopBinding,
    DpopBindingConfig,
    Nonces,
)
from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.errors import ConfigError, Mistake, UnavailableError
from sso_proxy.model import Bound, HeaderChallenge, Identity, Request, Unbound
from sso_proxy.net.coroutine import run
from sso_proxy.sealing import RingSealer
from sso_proxy.specs.oauth.bearer import challenge
from sso_proxy.testing.checks import check_binding, outcome_of
from sso_proxy.testing.fakes import NOW, FakeTools, make_identity, make_request
from sso_proxy.testing.proofs import ProofSigner

TOKEN = "c4n4ry.access.token"
URI = "https://api.example.com/orders"
SIGNER = ProofSigner.create()
BOUND = make_identity(confirmation=SIGNER.confirmation, token=TOKEN)


class WatchedCache(MemoryCache):
    """
    A cache that keeps what it is asked.

    Attributes:
        marks: What was added, or tried to be.
        down: It cannot answer.
    """

    def __init__(self, tools: FakeTools) -> None:
        super().__init__(MemoryCacheConfig(), tools.clock)
        self.marks: list[tuple[str, bytes]] = []
        self.down = False

    async def mark(self, purpose: str, name: bytes, ttl: float) -> bool:
        if self.down:
            raise UnavailableError("cache default")
        self.marks.append((purpose, name))
        return await super().mark(purpose, name, ttl)


class Scene:
    """A binding and one client of it."""

    def __init__(self, **config: Any) -> None:  # noqa: ANN401
        self.tools = FakeTools()
        self.cache = self.tools.memory = WatchedCache(self.tools)
        self.binding = DpopBinding.from_config(DpopBindingConfig(**config), self.tools)

    def prove(self, method: str = "GET", uri: str = URI, **changes: object) -> str:
        return SIGNER.prove(method, uri, TOKEN, self.tools.clock.time(), **changes)

    def ask(
        self,
        proof: str | None,
        identity: Identity = BOUND,
        **request: Any,  # noqa: ANN401
    ) -> Unbound | Bound | None:
        asked = make_asked(proof, **request)
        answer: Unbound | Bound | None = outcome_of(self.binding.check(asked, identity))
        return answer

    def refused(self, proof: str | None, **request: Any) -> Unbound:  # noqa: ANN401
        answer = self.ask(proof, **request)
        assert isinstance(answer, Unbound)
        return answer


def make_asked(proof: str | None, **changes: Any) -> Request:  # noqa: ANN401
    """Make a request for `URI`; *changes* are of its head, or of itself."""
    request = make_request("GET", "/orders", host="api.example.com")
    fields = {field.name for field in attrs.fields(type(request.head))}
    headers = () if proof is None else (("dpop", proof),)
    of_head = {n: v for n, v in changes.items() if n in fields}
    head = attrs.evolve(request.head, **{"headers": headers, **of_head})
    others = {n: v for n, v in changes.items() if n not in fields}
    return attrs.evolve(request, head=head, **others)


def challenge_of(unbound: Unbound) -> HeaderChallenge:
    assert unbound.challenge is not None
    return unbound.challenge


def nonce_of(answer: Unbound | Bound | None) -> str:
    assert answer is not None
    headers = (
        answer.headers if isinstance(answer, Bound) else challenge_of(answer).headers
    )
    return dict(headers)["dpop-nonce"]


def test_a_proof_is_good_once() -> None:
    """RFC 9449 section 11.1: proofs are not replayed."""
    scene = Scene()
    proof = scene.prove()
    assert scene.ask(proof) is None
    assert scene.refused(proof).reason == "dpop-replayed"
    assert scene.ask(scene.prove()) is None


def test_a_proof_stays_used_until_its_time_is_over() -> None:
    scene = Scene()
    proof = scene.prove(iat=NOW + 9)
    assert scene.ask(proof) is None
    scene.tools.clock.advance(79)
    assert scene.refused(proof).reason == "dpop-replayed"
    scene.tools.clock.advance(1)
    assert scene.refused(proof).reason == "dpop-iat"


def test_the_mark_says_nothing_about_the_caller() -> None:
    scene = Scene()
    scene.ask(scene.prove())
    ((purpose, name),) = scene.cache.marks
    assert (purpose, len(name)) == (PURPOSE, 32)


def test_nothing_is_marked_unless_all_else_is_well() -> None:
    """Else anybody could use up proofs of others, or fill the store."""
    scene = Scene()
    proof = scene.prove(jti="1")
    thief = ProofSigner.create()
    now = scene.tools.clock.time()
    forged = thief.sign(
        thief.claims("GET", URI, TOKEN, now, jti="1"),
        jwk=SIGNER.signer.public_jwk(use=None, alg=None),
    )
    for bad in (forged, thief.prove("GET", URI, TOKEN, now, jti="1")):
        assert scene.refused(bad).reason in {"dpop-signature", "dpop-key"}
    assert scene.refused(proof, method="PUT").reason == "dpop-htm"
    assert scene.cache.marks == []
    assert scene.ask(proof) is None


def test_a_cache_that_is_down_lets_nobody_through() -> None:
    scene = Scene()
    scene.cache.down = True
    with pytest.raises(UnavailableError):
        scene.ask(scene.prove())


def test_of_two_at_once_with_the_same_proof_one_passes() -> None:
    """Both have been found good before either is marked."""

    class SlowCache(WatchedCache):
        async def mark(self, *mark: Any) -> bool:  # noqa: ANN401
            await waiting
            return await super().mark(*mark)

    scene, waiting = Scene(), Deferred[None]()
    scene.tools.memory = SlowCache(scene.tools)
    binding = DpopBinding.from_config(DpopBindingConfig(), scene.tools)
    asked = make_asked(scene.prove())
    answers: list[Unbound | Bound | None] = []
    for _ in range(2):
        run(binding.check(asked, BOUND), answers.append, lambda failure: failure.trap())
    assert answers == []
    waiting.callback(None)
    first, second = answers
    assert first is None
    assert isinstance(second, Unbound)
    assert second.reason == "dpop-replayed"


def test_no_proof_is_a_refusal() -> None:
    """RFC 9449 section 7.1."""
    scene = Scene()
    answer = scene.refused(None)
    assert (answer.status, answer.reason) == (401, "dpop-missing")
    assert challenge_of(answer) == HeaderChallenge(
        (
            challenge(
                "DPoP",
                "invalid_dpop_proof",
                "the DPoP proof is not good for this request",
                algs="ES256 ES384 PS256 RS256 EdDSA",
            ),
        )
    )


def test_two_proofs_are_a_refusal() -> None:
    scene = Scene()
    headers = (("dpop", scene.prove()), ("dpop", scene.prove()))
    assert scene.refused(None, headers=headers).reason == "dpop-repeated"


def test_a_token_that_is_bound_to_no_key_is_refused_where_one_is_asked_for() -> None:
    scene = Scene()
    identity = make_identity(token=TOKEN)
    answer = scene.refused(scene.prove(), identity=identity)
    assert answer.reason == "not-dpop-bound"
    assert 'error="invalid_token"' in challenge_of(answer).values[0]


def test_an_identity_without_a_token_has_nothing_to_prove() -> None:
    scene = Scene()
    proof = SIGNER.prove("GET", URI, "", NOW)
    answer = scene.refused(proof, identity=attrs.evolve(BOUND, token=""))
    assert answer.reason == "dpop-no-token"


def test_the_answer_says_what_may_be_signed_with() -> None:
    scene = Scene(algorithms=("PS256", "EdDSA"))
    answer = scene.refused(scene.prove())
    assert answer.reason == "dpop-alg"
    assert 'algs="PS256 EdDSA"' in challenge_of(answer).values[0]
    assert scene.binding.algorithms == ("PS256", "EdDSA")


@pytest.mark.parametrize(
    ("request_", "uri"),
    [
        ({}, "https://api.example.com/orders?page=2#top"),
        ({"port": 8443, "listener_port": 8443}, "https://api.example.com:8443/orders"),
        ({"listener_port": 8443}, "https://api.example.com/orders"),
        ({"scheme": "http", "port": 80}, "http://api.example.com/orders"),
        ({"path": "/a/b"}, "https://api.example.com//a/./b"),
        ({"path": "/a", "path_asked": "/a;x"}, "https://api.example.com/a;x"),
        ({"query": "page=2"}, URI),
    ],
)
def test_the_uri_is_the_one_that_was_asked_for(
    request_: dict[str, Any], uri: str
) -> None:
    scene = Scene()
    assert scene.ask(scene.prove(uri=uri), **request_) is None
    other = scene.prove(uri=uri.replace("//", "//other.", 1))
    assert scene.refused(other, **request_).reason == "dpop-htu"


@pytest.mark.parametrize(
    ("port", "listener_port"), [(8444, 8443), (8444, 0), (80, 443), (1, 8443)]
)
def test_a_port_that_is_none_of_ours_is_refused(port: int, listener_port: int) -> None:
    """Another server on the same machine would get proofs that are good here."""
    scene = Scene()
    proof = scene.prove(uri=f"https://api.example.com:{port}/orders")
    answer = scene.refused(proof, port=port, listener_port=listener_port)
    assert answer.reason == "dpop-origin"


def test_what_clients_call_us_can_be_configured() -> None:
    scene = Scene(
        origins={
            "internal": "https://api.example.com:9443",
            "*": "HTTPS://Any.Example.com:443",
        }
    )
    internal: dict[str, Any] = {"host": "internal", "scheme": "http", "port": 8080}
    mine = scene.prove(uri="https://api.example.com:9443/orders")
    assert scene.ask(mine, **internal) is None
    other = scene.prove(uri="http://internal:8080/orders")
    assert scene.refused(other, **internal).reason == "dpop-htu"
    assert scene.ask(scene.prove(uri="https://any.example.com/orders")) is None
    assert scene.refused(scene.prove()).reason == "dpop-htu"


@pytest.mark.parametrize(
    "fields",
    [
        {"x-forwarded-host": "evil.example"},
        {"forwarded": "host=evil.example"},
        {"x-original-url": "/other"},
    ],
)
def test_no_field_changes_what_was_asked_for(fields: dict[str, str]) -> None:
    scene = Scene()
    headers = (*fields.items(), ("dpop", scene.prove()))
    assert scene.ask(None, headers=headers) is None


# Nonces


def test_without_a_nonce_the_client_gets_one() -> None:
    """RFC 9449 section 9."""
    scene = Scene(nonce="required")
    answer = scene.refused(scene.prove())
    assert (answer.status, answer.reason) == (401, "dpop-nonce-missing")
    assert challenge_of(answer).values[0].startswith('DPoP error="use_dpop_nonce"')
    assert scene.ask(scene.prove(nonce=nonce_of(answer))) is None


def test_a_nonce_has_only_the_characters_that_it_may_have() -> None:
    """Section 8.1: NQCHAR."""
    scene = Scene(nonce="required")
    for _ in range(20):
        nonce = nonce_of(scene.refused(scene.prove()))
        assert re.fullmatch(r"[\x21\x23-\x5B\x5D-\x7E]+", nonce)


def test_with_a_nonce_the_clients_clock_does_not_matter() -> None:
    scene = Scene(nonce="required")
    nonce = nonce_of(scene.refused(scene.prove()))
    for away in (-3600, 3600):
        assert scene.ask(scene.prove(nonce=nonce, iat=NOW + away)) is None


def test_a_proof_with_a_nonce_is_good_once_as_long_as_the_nonce_is() -> None:
    scene = Scene(nonce="required")
    nonce = nonce_of(scene.refused(scene.prove()))
    proof = scene.prove(nonce=nonce)
    assert scene.ask(proof) is None
    scene.tools.clock.advance(300)
    assert scene.refused(proof).reason == "dpop-replayed"
    scene.tools.clock.advance(0.1)
    assert scene.refused(proof).reason == "dpop-nonce-expired"


def test_past_half_its_life_a_nonce_is_replaced() -> None:
    """Section 8.2: with the answer, which is then not to be stored."""
    scene = Scene(nonce="required")
    nonce = nonce_of(scene.refused(scene.prove()))
    scene.tools.clock.advance(150)
    assert scene.ask(scene.prove(nonce=nonce)) is None
    scene.tools.clock.advance(1)
    answer = scene.ask(scene.prove(nonce=nonce))
    assert isinstance(answer, Bound)
    assert ("cache-control", "no-store") in answer.headers
    fresh = nonce_of(answer)
    scene.tools.clock.advance(200)
    assert scene.refused(scene.prove(nonce=nonce)).reason == "dpop-nonce-expired"
    assert isinstance(scene.ask(scene.prove(nonce=fresh)), Bound)


def test_another_process_with_the_same_keys_knows_the_nonce() -> None:
    nonce = nonce_of(Scene(nonce="required").refused(None))
    scene = Scene(nonce="required")
    assert scene.ask(scene.prove(nonce=nonce)) is None


def test_what_was_sealed_for_something_else_is_no_nonce() -> None:
    scene = Scene(nonce="required")
    other = Nonces(scene.tools.sealer("other")).make(NOW)
    assert scene.refused(scene.prove(nonce=other)).reason == "dpop-nonce"


@given(nonce=st.text(max_size=80))
def test_nobody_guesses_a_nonce(nonce: str) -> None:
    assert Nonces(FakeTools().sealer("dpop-nonce")).time(nonce) is None


def test_a_changed_nonce_is_none() -> None:
    nonces = Nonces(FakeTools().sealer("dpop-nonce"))
    nonce = nonces.make(NOW)
    assert nonces.time(nonce) == NOW
    for changed in (nonce + "=", nonce[:-1], nonce + "A", "A" * 10_000, nonce.lower()):
        assert nonces.time(changed) is None


def test_every_refusal_brings_a_nonce_where_they_are_wanted() -> None:
    scene = Scene(nonce="required")
    nonce = nonce_of(scene.refused(None))
    assert nonce_of(scene.refused(scene.prove(nonce=nonce, htm="PUT")))


def test_nonces_are_ignored_where_they_are_off() -> None:
    scene = Scene()
    answer = scene.ask(scene.prove(nonce="x"))
    assert answer is None
    assert challenge_of(scene.refused(None)).headers == ()


# Configuration


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("algorithms", (), "must not be empty"),
        ("algorithms", ("HS256",), "is none of"),
        ("algorithms", ("none",), "is none of"),
        ("max_age", 0, "must be from 1"),
        ("leeway", 301, "must be from 0"),
        ("nonce_lifetime", 5, "must be from 10"),
        ("origins", {"*": "api.example.com"}, "no http or https URI"),
        ("origins", {"*": "https://api.example.com/a"}, "an origin has no path"),
    ],
)
def test_unsafe_options_are_refused(option: str, value: Any, problem: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=problem):
        DpopBindingConfig(**{option: value})


def test_without_nonces_no_keys_are_needed() -> None:
    class WithoutKeys(FakeTools):
        def sealer(self, kind: str) -> RingSealer:
            raise ConfigError(Mistake(kind, "no key ring"))

    tools = WithoutKeys()
    DpopBinding.from_config(DpopBindingConfig(), tools)
    with pytest.raises(ConfigError):
        DpopBinding.from_config(DpopBindingConfig(nonce="required"), tools)


def test_a_refusal_does_not_tell_the_token_or_the_proof() -> None:
    scene = Scene()
    proof = scene.prove(jti="c4n4ry", htm="c4n4ry", htu="https://c4n4ry/")
    assert "c4n4ry" not in repr(scene.refused(proof))


def test_it_keeps_the_contract_of_bindings() -> None:
    scene = Scene()
    check_binding(scene.binding, [(make_asked(scene.prove()), BOUND)])
