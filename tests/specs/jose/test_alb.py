"""A load balancer's token is read in one way, and compared with who it must be from."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.alb import (
    AlbRules,
    AlbToken,
    check_alb_header,
    public_keys_url,
    read_alb_claims,
    read_alb_token,
)
from sso_proxy.specs.jose.compact import split_compact
from sso_proxy.specs.jose.keys import VerificationKey, read_jwk, read_pem
from sso_proxy.testing.tokens import TokenSigner

DATA = Path(__file__).parents[2] / "data/jose/alb.json"
(VECTOR,) = json.loads(DATA.read_text())["vectors"]
ARN = (
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
    "loadbalancer/app/a-1/0123456789abcdef"
)
SIGNER = TokenSigner.create("ES256", "k-1")
KEY = read_jwk(SIGNER.public_jwk())
HEADER = {
    "typ": "JWT",
    "kid": "k-1",
    "alg": "ES256",
    "iss": "https://login.example.com",
    "client": "shop",
    "signer": ARN,
    "exp": 1000,
}


def encode(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode()


def made(payload: bytes = b'{"sub":"alice"}', **changes: object) -> str:
    """Make a token as a load balancer does."""
    members = {n: v for n, v in {**HEADER, **changes}.items() if v is not ...}
    signing_input = f"{encode(json.dumps(members).encode())}.{encode(payload)}"
    return f"{signing_input}.{encode(SIGNER.signature(signing_input.encode()))}"


def reason_of(text: str, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(TokenError) as caught:
        read_alb_token(text, **options)
    return caught.value.reason


class TestPublishedVector:
    """What a load balancer of AWS made in 2018."""

    token = read_alb_token(VECTOR["token"])
    (key,) = read_pem(VECTOR["pem"].encode()).keys

    def test_it_is_read_and_its_signature_is_right(self) -> None:
        claims = read_alb_claims(self.token, self.key)
        assert claims["sub"] == "109716492681686172969"
        assert self.token.kid == VECTOR["kid"]
        assert self.token.issuer == "https://accounts.google.com"

    def test_its_header_is_that_of_its_load_balancer_until_it_expires(self) -> None:
        rules = AlbRules(signer=VECTOR["signer"])
        check_alb_header(self.token, rules, VECTOR["exp"] - 1)
        with pytest.raises(TokenError, match="exp is over"):
            check_alb_header(self.token, rules, VECTOR["exp"])

    def test_the_signature_is_over_the_padded_text(self) -> None:
        header, payload = self.token.signing_input.split(b".")
        bare = b".".join((header.rstrip(b"="), payload.rstrip(b"=")))
        with pytest.raises(TokenError, match="wrong signature"):
            read_alb_claims(attrs.evolve(self.token, signing_input=bare), self.key)

    def test_it_is_no_jws(self) -> None:
        with pytest.raises(TokenError):
            split_compact(VECTOR["token"])


def test_a_token_is_read() -> None:
    token = read_alb_token(made())
    assert read_alb_claims(token, KEY) == {"sub": "alice"}
    assert (token.kid, token.signer, token.client) == ("k-1", ARN, "shop")
    assert token.expires == 1000.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        made().rpartition(".")[0],
        made() + ".",
        made().rstrip("="),
        made() + "=",
        made() + "\n",
        " " + made(),
        made(b'{"sub":"a"}').replace("=.", "."),
        made()[:-3] + "B==",
        made() + "é",
        encode(b"[1]") + "." + made().partition(".")[2],
        encode(b'{"alg":"ES256","alg":"ES256"}') + "." + made().partition(".")[2],
    ],
    ids=[
        "nothing",
        "dots",
        "two parts",
        "four parts",
        "no padding",
        "more padding",
        "newline",
        "blank",
        "payload without its padding",
        "bits left over",
        "not ASCII",
        "header is an array",
        "a name twice",
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    assert reason_of(text) == "token-malformed"


@pytest.mark.parametrize("alg", ["none", "ES384", "HS256", "RS256", "es256", ..., 1])
def test_es256_is_the_only_algorithm(alg: object) -> None:
    assert reason_of(made(alg=alg)) == "token-alg"


@pytest.mark.parametrize(
    "kid",
    [
        "",
        ".",
        "..",
        "../../other",
        "a/b",
        "a%2Fb",
        "%2e%2e",
        "a?b",
        "a#b",
        "a\\b",
        "a b",
        "a\n",
        "a@b",
        "é",
        "a" * 65,
        ...,
        1,
        ["a"],
    ],
)
def test_a_key_is_named_by_a_plain_name_alone(kid: object) -> None:
    """CWE-918: the name is put into a URL."""
    assert reason_of(made(kid=kid)) == "token-header"


@pytest.mark.parametrize("name", ["signer", "iss", "client"])
@pytest.mark.parametrize("value", [..., "", None, 1, [ARN]])
def test_the_header_says_who_and_for_whom(name: str, value: object) -> None:
    changes: dict[str, Any] = {name: value}
    assert reason_of(made(**changes)) == "token-header"


@pytest.mark.parametrize("exp", [..., None, "1000", True, 0, -1, 2**53, [1]])
def test_the_header_says_until_when(exp: object) -> None:
    assert reason_of(made(exp=exp)) == "token-date"


@pytest.mark.parametrize(
    "extra", [{"crit": ["exp"]}, {"b64": False}, {"zip": "DEF"}], ids=str
)
def test_extensions_are_refused(extra: dict[str, Any]) -> None:
    assert reason_of(made(**extra)) == "token-header"


def test_a_token_is_not_longer_than_the_limit() -> None:
    read_alb_token(made(), max_bytes=len(made()))
    assert reason_of(made(), max_bytes=len(made()) - 1) == "token-too-long"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signer": ARN[:-1] + "0"}, "token-signer"),
        ({"signer": ARN.upper()}, "token-signer"),
        ({"signer": ARN + " "}, "token-signer"),
        ({"iss": "https://login.example.com/"}, "token-issuer"),
        ({"client": "Shop"}, "token-client"),
        ({"exp": 990}, "token-expired"),
    ],
)
def test_a_header_is_compared_octet_by_octet(
    changes: dict[str, Any], reason: str
) -> None:
    """ALBeast: every load balancer of the region has its keys at the same place."""
    rules = AlbRules(
        signer=ARN, issuer="https://login.example.com", client="shop", leeway=5
    )
    check_alb_header(read_alb_token(made()), rules, 1004.0)
    with pytest.raises(TokenError) as caught:
        check_alb_header(read_alb_token(made(**changes)), rules, 995.0)
    assert caught.value.reason == reason


def test_issuer_and_client_are_compared_only_if_they_are_known() -> None:
    token = read_alb_token(made(iss="https://other", client="other"))
    check_alb_header(token, AlbRules(signer=ARN), 1.0)


def test_somebody_elses_signature_is_refused() -> None:
    other: VerificationKey = read_jwk(TokenSigner.create("ES256").public_jwk())
    with pytest.raises(TokenError, match="wrong signature"):
        read_alb_claims(read_alb_token(made()), other)


@pytest.mark.parametrize("payload", [b"[]", b"x", b'{"a":1,"a":2}'])
def test_a_payload_is_a_json_object(payload: bytes) -> None:
    with pytest.raises(TokenError) as caught:
        read_alb_claims(read_alb_token(made(payload)), KEY)
    assert caught.value.reason == "token-malformed"


@given(place=st.integers(0, len(made()) - 1), character=st.characters(codec="ascii"))
def test_a_changed_token_is_refused(place: int, character: str) -> None:
    text = made()
    changed = text[:place] + character + text[place + 1 :]
    if changed != text:
        with pytest.raises(TokenError):
            read_alb_claims(read_alb_token(changed), KEY)


def test_nothing_about_the_user_is_shown() -> None:
    token: AlbToken = read_alb_token(made())
    assert "alice" not in repr(token)


def test_keys_are_where_aws_says() -> None:
    base = "https://public-keys.auth.elb.eu-west-1.amazonaws.com/"
    assert public_keys_url(ARN) == base
    gov = ARN.replace("arn:aws:", "arn:aws-us-gov:").replace("eu-w", "us-gov-w")
    assert public_keys_url(gov) is None


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "alb",
        ARN + "\n",
        ARN.replace("eu-west-1", "eu-west-1.evil.example/"),
        ARN.replace("eu-west-1", ""),
        ARN.replace("/app/", "/net/"),
        ARN.replace("123456789012", "1"),
        ARN.replace("arn:aws:", "arn:aws-x:"),
    ],
)
def test_what_is_no_load_balancers_name_is_refused(arn: str) -> None:
    with pytest.raises(ValueError, match="must be the ARN"):
        public_keys_url(arn)
