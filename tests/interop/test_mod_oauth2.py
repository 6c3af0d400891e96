"""
The same requests at Debian's Apache with mod_oauth2, and why the answers differ.

The table is the test: each row is asked of both, and what they answer must be what the
table says.  Where they differ, the row says why.
"""

import base64
import time
from collections.abc import Callable, Mapping
from functools import partial as part

import attrs
import pytest

from sso_proxy.testing.pki import self_signed
from sso_proxy.testing.tokens import TokenSigner
from tests.support.calling import Told, bearer
from tests.support.comparing import Asking, Row
from tests.support.gateway import Gateway
from tests.support.tokens_from_op import (
    read_claims,
    read_header,
    resource,
    sign_with_secret,
)

INVALID = "401 Bearer invalid_token"
CLAIMS_FIELD = "OAUTH2_CLAIM_access_token"
NO_AUDIENCE = "it does not look at aud: a token for any API of this issuer is good"
NO_TYPE = "it does not look at typ (RFC 9068 4): an ID token is good, too"
NO_ISSUER = "it does not compare iss unless told what it is, which 1.4 cannot be"
NO_BEGIN = "it does not look at nbf (RFC 7519 4.1.5)"
FIRST_TOKEN = "RFC 6750 2: one way per request; it takes the first that it finds"
STRIPPED_LATE = "it takes the token out of a copy; what it sends on still has it"
PASSED_ON = "it gives the backend the token unless told otherwise"
NO_CNF = "it looks at cnf only where it is told to: a stolen bound token is good"
NO_SCOPE_TEST = "it compares claims as a whole; RFC 6750 3.1 wants 403 and a challenge"


def signed_with(alg: str, asking: Asking) -> Told:
    return asking.show(asking.token(alg=alg))


def public_key_as_secret(asking: Asking) -> Told:
    good = asking.token()
    key = asking.desk.server.keys["RS256"].signer.public_pem()
    header = {"typ": "at+jwt", "kid": read_header(good)["kid"]}
    return asking.show(sign_with_secret(read_claims(good), key, **header))


def not_signed(asking: Asking) -> Told:
    head, payload, _ = asking.forged({}, alg="none").split(".")
    return asking.show(f"{head}.{payload}.")


def with_key_of_its_own(asking: Asking) -> str:
    """Sign with a key that nobody knows but for the header (RFC 7515 4.1.3)."""
    mine = TokenSigner.create("RS256", "RS256-1")
    return mine.sign(read_claims(asking.token()), jwk=mine.public_jwk())


def scoped(scope: str, asking: Asking) -> Told:
    token = asking.desk.token("service", resource(alg="RS256"), scope=scope)
    return asking.show(token, "/write/")


def two_fields(asking: Asking) -> Told:
    field = bearer(asking.token())
    return asking.caller.ask("/jwt/", field, field)


def in_query(asking: Asking) -> Told:
    return asking.caller.ask(f"/jwt/?access_token={asking.token()}")


def with_cookie(asking: Asking) -> Told:
    return asking.caller.ask("/anywhere/", ("Cookie", f"access_token={asking.token()}"))


def with_form(asking: Asking) -> Told:
    form = ("Content-Type", "application/x-www-form-urlencoded")
    body = f"a=1&access_token={asking.token()}".encode()
    return asking.caller.ask("/anywhere/", form, method="POST", body=body)


def with_password(asking: Asking) -> Told:
    pair = base64.b64encode(f"any:{asking.token()}".encode()).decode()
    return asking.caller.ask("/anywhere/", ("Authorization", f"Basic {pair}"))


def with_query(asking: Asking) -> Told:
    return asking.caller.ask(f"/anywhere/?a=1&access_token={asking.token()}")


def header_and_query(asking: Asking) -> Told:
    target = f"/anywhere/?access_token={asking.token()}"
    return asking.caller.ask(target, bearer(asking.token()))


def twice_in_query(asking: Asking) -> Told:
    pair = f"access_token={asking.token()}"
    return asking.caller.ask(f"/anywhere/?{pair}&{pair}")


def bound(holder: str | None, asking: Asking, *, client: str = "mtls") -> Told:
    token = asking.token(client)
    shown = asking.held_by(holder) if holder is not None else None
    return asking.caller.ask("/bound/", bearer(token), certificate=shown)


def bound_to_another_of_that_name(asking: Asking) -> Told:
    token = asking.token("self-signed")
    shown = self_signed("self-signed")
    return asking.caller.ask("/bound/", bearer(token), certificate=shown)


def expired(asking: Asking) -> Told:
    now = int(time.time())
    return asking.show(asking.forged({"iat": now - 7200, "exp": now - 3600}))


TABLE = [
    Row("a token with RS256", part(signed_with, "RS256"), "200", "200"),
    Row("a token with PS256", part(signed_with, "PS256"), "200", "200"),
    Row("a token with ES256", part(signed_with, "ES256"), "200", "200"),
    Row(
        "a token with EdDSA",
        part(signed_with, "EdDSA"),
        "200",
        INVALID,
        "its JOSE library does not know Ed25519",
    ),
    Row(
        "no token",
        lambda asking: asking.caller.ask("/jwt/"),
        "401 Bearer",
        "401 Bearer invalid_request",
        "RFC 6750 3.1: no error code where no token was shown",
    ),
    Row("rubbish", lambda asking: asking.show("rubbish"), INVALID, INVALID),
    Row(
        "the scheme in lower case",
        lambda asking: asking.show(asking.token(), scheme="bearer"),
        "200",
        "200",
    ),
    Row("an expired token", expired, INVALID, INVALID),
    Row(
        "a token that is good tomorrow",
        lambda asking: asking.show(asking.forged({"nbf": int(time.time()) + 86400})),
        INVALID,
        "200",
        NO_BEGIN,
    ),
    Row("the public key as a secret", public_key_as_secret, INVALID, INVALID),
    Row("a token that is not signed", not_signed, INVALID, INVALID),
    Row(
        "a token of a key that the header has",
        lambda asking: asking.show(with_key_of_its_own(asking)),
        INVALID,
        INVALID,
    ),
    Row(
        "a token for another API",
        lambda asking: asking.show(asking.token(audience="https://other.example.com")),
        INVALID,
        "200",
        NO_AUDIENCE,
    ),
    Row(
        "an ID token",
        lambda asking: asking.show(asking.forged({}, typ="JWT")),
        INVALID,
        "200",
        NO_TYPE,
    ),
    Row(
        "a token of another issuer with the same key",
        lambda asking: asking.show(asking.forged({"iss": "https://evil.example"})),
        INVALID,
        "200",
        NO_ISSUER,
    ),
    Row(
        "too small a scope",
        part(scoped, "orders.read"),
        "403 Bearer insufficient_scope",
        "401",
        NO_SCOPE_TEST,
    ),
    Row("the scope that is needed", part(scoped, "orders.write"), "200", "200"),
    Row(
        "the scope that is needed among others",
        part(scoped, "orders.read orders.write"),
        "200",
        "401",
        NO_SCOPE_TEST,
    ),
    Row(
        "two Authorization fields",
        two_fields,
        "400",
        INVALID,
        "RFC 9110 5.3: a request with two is malformed, whatever they say",
    ),
    Row(
        "a token in the query",
        in_query,
        "401 Bearer",
        "401 Bearer invalid_request",
        "RFC 6750 3.1: no error code; neither looks there unless told to",
    ),
    Row("a token in the query, where that is allowed", with_query, "200", "200"),
    Row("a token in a cookie, where that is allowed", with_cookie, "200", "200"),
    Row("a token in a form, where that is allowed", with_form, "200", "200"),
    Row("a token as a password, where that is allowed", with_password, "200", "200"),
    Row(
        "a token in the query and one in the header",
        header_and_query,
        "400 Bearer invalid_request",
        "200",
        FIRST_TOKEN,
    ),
    Row(
        "two tokens in the query",
        twice_in_query,
        "400 Bearer invalid_request",
        "200",
        FIRST_TOKEN,
    ),
    Row("a bound token with its certificate", part(bound, "mtls"), "200", "200"),
    Row(
        "a bound token with its self-signed certificate",
        lambda asking: bound("self-signed", asking, client="self-signed"),
        "200",
        "200",
    ),
    Row("a bound token with another one", part(bound, "rs-tls"), INVALID, INVALID),
    Row(
        "a bound token with another one of that name",
        bound_to_another_of_that_name,
        INVALID,
        INVALID,
    ),
    Row("a bound token without a certificate", part(bound, None), INVALID, INVALID),
    Row(
        "a bound token where none is asked for",
        lambda asking: asking.show(asking.token("mtls")),
        INVALID,
        "200",
        NO_CNF,
    ),
    Row(
        "a token that is not bound where it must be",
        lambda asking: bound("mtls", asking, client="service"),
        INVALID,
        INVALID,
    ),
]


@attrs.frozen
class Arrival:
    """
    A request, and where the backend finds its token.

    Attributes:
        name: How the token is shown.
        ask: Asks.
        ours: Where it is behind us.
        apache: Where it is behind Apache.
        why: Why they differ.
    """

    name: str
    ask: Callable[[Asking], Told]
    ours: list[str]
    apache: list[str]
    why: str


ARRIVALS = [
    Arrival(
        "in the Authorization field",
        lambda asking: asking.show(asking.token()),
        [],
        ["Authorization", CLAIMS_FIELD],
        PASSED_ON,
    ),
    Arrival(
        "in the query",
        with_query,
        [],
        [CLAIMS_FIELD, "target"],
        STRIPPED_LATE,
    ),
    Arrival(
        "in a form",
        with_form,
        ["content: a=1"],
        [CLAIMS_FIELD, "content: "],
        "it reads the content, and the backend gets nothing of it",
    ),
    Arrival(
        "in a cookie",
        with_cookie,
        [],
        ["Cookie", CLAIMS_FIELD],
        STRIPPED_LATE,
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_both_answer_what_the_table_says(both: Mapping[str, Asking], row: Row) -> None:
    answers = {name: row.ask(asking).verdict for name, asking in both.items()}
    assert answers == {"ours": row.ours, "apache": row.apache}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_difference_has_its_reason(row: Row) -> None:
    assert (row.ours != row.apache) == bool(row.why)


@pytest.mark.parametrize("row", ARRIVALS, ids=lambda row: row.name)
def test_the_token_arrives_where_the_table_says(
    both: Mapping[str, Asking], gateway: Gateway, row: Arrival
) -> None:
    found = {}
    for name, asking in both.items():
        gateway.backend.clear()
        assert row.ask(asking).status == 200
        seen = gateway.backend.wait_for(1)[0]
        places = [name for name, value in seen.headers if ".eyJ" in value]
        places += ["target"] * (".eyJ" in seen.target)
        places += [f"content: {seen.body.decode()}"] * (seen.method == "POST")
        found[name] = sorted(places)
    assert found == {"ours": row.ours, "apache": row.apache}
