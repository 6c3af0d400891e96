"""Claims of others are taken when their issuer, and no one else, made them."""

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.keys import UnknownKeyError, read_jwks
from sso_proxy.specs.oidc.claims import PROTOCOL_CLAIMS
from sso_proxy.specs.oidc.composite import (
    MAX_NAMES,
    MAX_SOURCES,
    Source,
    SourceRules,
    check_endpoint,
    issuer_of,
    open_source,
    read_distributed,
    read_sources,
)
from sso_proxy.specs.oidc.envelope import MAX_JWT
from sso_proxy.testing.tokens import TokenSigner, jwks

NOW = 1_800_000_000.0
OTHERS = "https://claims.example"
SIGNER = TokenSigner.create("ES256", "k1")
KEYS = read_jwks(jwks(SIGNER))
RULES = SourceRules(issuer=OTHERS, client_id="us", subject="alice")
SOURCE = Source(name="s", claims=frozenset({"address", "phone_number"}))
GOOD: dict[str, Any] = {"iss": OTHERS, "address": {"country": "DE"}, "more": 1}


def signed(signer: TokenSigner = SIGNER, /, **changes: object) -> str:
    claims = {**GOOD, **changes}
    kept = {name: value for name, value in claims.items() if value is not ...}
    return signer.sign(kept, typ="JWT")


def claims_of(names: object, sources: object) -> dict[str, Any]:
    return {"sub": "alice", "_claim_names": names, "_claim_sources": sources}


def reason_of(names: object, sources: object) -> str:
    with pytest.raises(TokenError) as caught:
        read_sources(claims_of(names, sources))
    return caught.value.reason


class TestSources:
    """Where other claims are."""

    def test_answer_without_them_has_none(self) -> None:
        assert read_sources({"sub": "alice"}) == ()

    def test_sources_of_both_kinds_are_found(self) -> None:
        """The example of OpenID Connect Core 5.6.2.2, nearly."""
        sources = {
            "src1": {"JWT": "a.b.c"},
            "src2": {"endpoint": "https://bank.example/c", "access_token": "t"},
            "src3": {"endpoint": "https://credit.example/c"},
            "unused": {"JWT": "a.b.c"},
        }
        names = {"address": "src1", "phone": "src1", "iban": "src2", "score": "src3"}
        assert read_sources(claims_of(names, sources)) == (
            Source(name="src1", claims=frozenset({"address", "phone"}), jwt="a.b.c"),
            Source(
                name="src2",
                claims=frozenset({"iban"}),
                endpoint="https://bank.example/c",
                access_token="t",
            ),
            Source(
                name="src3",
                claims=frozenset({"score"}),
                endpoint="https://credit.example/c",
            ),
        )

    def test_there_may_be_as_many_as_the_limits_say(self) -> None:
        names = {f"c{n}": f"s{n % MAX_SOURCES}" for n in range(MAX_NAMES)}
        sources = {f"s{n}": {"JWT": "x"} for n in range(MAX_SOURCES)}
        assert len(read_sources(claims_of(names, sources))) == MAX_SOURCES

    def test_secrets_do_not_show(self) -> None:
        sources = {"s": {"endpoint": "https://a.example/", "access_token": "hunter2"}}
        assert "hunter2" not in repr(read_sources(claims_of({"a": "s"}, sources)))

    @pytest.mark.parametrize("name", sorted(PROTOCOL_CLAIMS))
    def test_claim_about_the_login_is_not_from_elsewhere(self, name: str) -> None:
        assert read_sources(claims_of({name: "s"}, {"s": {"JWT": "a.b.c"}})) == ()

    @pytest.mark.parametrize(
        ("names", "sources"),
        [
            ([], {}),
            ({}, []),
            (None, {}),
            ("x", "y"),
            ({"a": "s"}, {}),
            ({"a": 1}, {"s": {}}),
            ({"a": ["s"]}, {"s": {}}),
            ({"a": "s"}, {"s": None}),
            ({"a": "s"}, {"s": "a.b.c"}),
            ({"a": "s"}, {"s": {}}),
            ({"a": "s"}, {"s": {"JWT": 1}}),
            ({"a": "s"}, {"s": {"JWT": "a.b.c", "endpoint": "https://a.example/"}}),
            ({"a": "s"}, {"s": {"endpoint": ["https://a.example/"]}}),
            ({"a": "s"}, {"s": {"endpoint": "https://a/", "access_token": 1}}),
            ({"a": "s"}, {"s": {"endpoint": "https://a/", "access_token": "a\r\nb"}}),
            ({"a": "s"}, {"s": {"endpoint": "https://a/", "access_token": ""}}),
            ({f"c{n}": "s" for n in range(MAX_NAMES + 1)}, {"s": {"JWT": "x"}}),
            ({"a": "s"}, {f"s{n}": {"JWT": "x"} for n in range(MAX_SOURCES + 1)}),
        ],
    )
    def test_what_cannot_be_read_is_refused(
        self, names: object, sources: object
    ) -> None:
        assert reason_of(names, sources) == "claims-source"


class TestEndpoint:
    """Where we may be sent."""

    def check(self, endpoint: str | None) -> str:
        source = attrs.evolve(SOURCE, endpoint=endpoint)
        return check_endpoint(
            source, {"https://claims.example", "https://b.example:8443"}
        )

    @pytest.mark.parametrize(
        "url",
        [
            "https://claims.example/c?u=1",
            "https://claims.example",
            "https://b.example:8443/x",
            "https://claims.example:443/c",
            "https://CLAIMS.example/c",
        ],
    )
    def test_endpoint_that_is_allowed_is_given(self, url: str) -> None:
        assert self.check(url) == url

    @pytest.mark.parametrize(
        "url",
        [
            *(None, "", "claims.example", "//claims.example/", "ftp://claims.example/"),
            *("http://claims.example/c", "https://evil.example/c"),
            *("https://claims.example@evil.example/", "https://claims.example:444/"),
            *("https://claims.example.evil.example/", "https://claims.example\\@evil/"),
            *("https://b.example/x", "https://169.254.169.254/latest", "file:///etc/x"),
            *("https://claims.example/c#f", "https://claims.example/\n"),
            *("http://127.0.0.1/", "https://x.claims.example/"),
        ],
    )
    def test_other_endpoint_is_refused(self, url: str | None) -> None:
        with pytest.raises(TokenError) as caught:
            self.check(url)
        assert caught.value.reason == "claims-source"

    def test_plain_http_is_refused_even_if_it_is_named(self) -> None:
        source = attrs.evolve(SOURCE, endpoint="http://127.0.0.1/c")
        with pytest.raises(TokenError):
            check_endpoint(source, {"http://127.0.0.1"})


class TestDistributed:
    """What an endpoint answers."""

    def test_token_is_given(self) -> None:
        assert read_distributed(200, "application/jwt", b"a.b.c\n") == "a.b.c"
        assert read_distributed(200, "application/jwt", b"a" * MAX_JWT)

    @pytest.mark.parametrize(
        ("status", "content_type", "body"),
        [
            (302, "application/jwt", b"a.b.c"),
            (401, "application/jwt", b"a.b.c"),
            (200, "application/json", b"{}"),
            (200, None, b"a.b.c"),
            (200, "application/jwt", b"a" * (MAX_JWT + 1)),
            (200, "application/jwt", b"\xff"),
        ],
    )
    def test_other_answer_is_refused(
        self, status: int, content_type: str | None, body: bytes
    ) -> None:
        with pytest.raises(TokenError) as caught:
            read_distributed(status, content_type, body)
        assert caught.value.reason == "claims-source"


class TestOpening:
    """What others say."""

    def reason(self, text: str, rules: SourceRules = RULES) -> str:
        with pytest.raises(TokenError) as caught:
            open_source(SOURCE, text, KEYS, rules, now=NOW)
        return caught.value.reason

    def test_only_claims_of_the_source_are_given(self) -> None:
        claims = open_source(SOURCE, signed(), KEYS, RULES, now=NOW)
        assert claims == {"address": {"country": "DE"}}

    def test_issuer_tells_which_keys(self) -> None:
        assert issuer_of(signed(), {OTHERS}) == OTHERS

    @pytest.mark.parametrize("iss", ["https://op.example", "", None, [OTHERS], ...])
    def test_other_issuer_is_refused(self, iss: object) -> None:
        with pytest.raises(TokenError) as caught:
            issuer_of(signed(iss=iss), {OTHERS})
        assert caught.value.reason == "token-issuer"
        assert self.reason(signed(iss=iss)) == "token-issuer"

    @pytest.mark.parametrize("text", ["", "a.b.c", "a.b.c.d.e", "ä"])
    def test_what_is_no_token_has_no_issuer(self, text: str) -> None:
        with pytest.raises(TokenError):
            issuer_of(text, {OTHERS})

    def test_signature_is_checked(self) -> None:
        assert (
            self.reason(signed(TokenSigner.create("ES256", "k1"))) == "token-signature"
        )
        with pytest.raises(UnknownKeyError):
            open_source(SOURCE, signed(SIGNER.renamed("k")), KEYS, RULES, now=NOW)

    def test_unsigned_claims_are_refused(self) -> None:
        assert self.reason("eyJhbGciOiJub25lIn0.e30.") == "token-malformed"

    def test_other_user_is_refused(self) -> None:
        open_source(SOURCE, signed(sub="alice"), KEYS, RULES, now=NOW)
        for sub in ("bob", None, "", 1, ["alice"]):
            assert self.reason(signed(sub=sub)) == "token-subject"

    def test_other_audience_is_refused(self) -> None:
        open_source(SOURCE, signed(aud=["us", "x"]), KEYS, RULES, now=NOW)
        assert self.reason(signed(aud="them")) == "token-audience"

    def test_old_claims_are_refused(self) -> None:
        assert self.reason(signed(exp=NOW - 10)) == "token-expired"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["a", "s", "JWT", "endpoint", "access_token"]), inner
        )
    ),
    max_leaves=8,
)


@given(names=VALUES, sources=VALUES)
def test_any_places_are_read_or_refused(names: object, sources: object) -> None:
    try:
        found = read_sources(claims_of(names, sources))
    except TokenError:
        return
    for source in found:
        assert (source.jwt is None) != (source.endpoint is None)
    json.dumps([source.name for source in found])
