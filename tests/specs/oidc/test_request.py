"""What we ask for is what the standards let us ask for, and each thing once."""

import json
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oauth.pkce import challenge_of
from sso_proxy.specs.oidc.request import (
    MAX_OBJECT_LIFETIME,
    MAX_URL,
    MAX_VALUE,
    MAX_WORDS,
    AuthorizationRequest,
    check_extra,
    front_fields,
    front_url,
    parameters,
    pushed_fields,
    request_object_claims,
)
from sso_proxy.specs.oidc.response_type import ResponseType

ENDPOINT = "https://op.example/authorize"
ISSUER = "https://op.example"
NOW = 1_800_000_000.5
HYBRID: dict[str, Any] = {"response_type": ResponseType("code id_token")}
CHALLENGE = challenge_of("v" * 43)
THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
LEAST: dict[str, Any] = {
    "client_id": "proxy",
    "redirect_uri": "https://app.example.com/.sso/callback/op",
    "state": "a-state",
    "nonce": "a-nonce",
    "code_challenge": CHALLENGE,
}
MOST: dict[str, Any] = {
    **LEAST,
    "scope": ("openid", "profile"),
    "response_mode": "form_post",
    "acr_values": ("urn:mace:incommon:iap:silver", "2"),
    "max_age": 0,
    "prompt": ("login", "consent"),
    "display": "page",
    "login_hint": "ålice@example.com",
    "id_token_hint": "a.b.c",
    "ui_locales": ("de-CH", "en"),
    "claims_locales": ("de",),
    "claims": {"id_token": {"acr": {"essential": True}}},
    "resource": ("https://api.example.com/", "urn:example:other"),
    "dpop_jkt": THUMBPRINT,
    "extra": (("kc_idp_hint", "saml"), ("audience", "https://api.example.com")),
}


def request(**changes: object) -> AuthorizationRequest:
    return AuthorizationRequest(**{**LEAST, **changes})


FULL = AuthorizationRequest(**MOST)


def test_the_least_request() -> None:
    assert dict(parameters(request())) == {
        "client_id": "proxy",
        "response_type": "code",
        "redirect_uri": "https://app.example.com/.sso/callback/op",
        "scope": "openid",
        "state": "a-state",
        "nonce": "a-nonce",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }


def test_a_request_with_everything() -> None:
    added = [field for field in parameters(FULL) if field not in parameters(request())]
    assert added == [
        ("scope", "openid profile"),
        ("response_mode", "form_post"),
        ("acr_values", "urn:mace:incommon:iap:silver 2"),
        ("max_age", "0"),
        ("prompt", "login consent"),
        ("display", "page"),
        ("login_hint", "ålice@example.com"),
        ("id_token_hint", "a.b.c"),
        ("ui_locales", "de-CH en"),
        ("claims_locales", "de"),
        ("claims", '{"id_token":{"acr":{"essential":true}}}'),
        ("dpop_jkt", THUMBPRINT),
        ("resource", "https://api.example.com/"),
        ("resource", "urn:example:other"),
        ("kc_idp_hint", "saml"),
        ("audience", "https://api.example.com"),
    ]


def test_nothing_but_resource_is_there_twice() -> None:
    """RFC 6749 3.1; RFC 8707 2: "Multiple resource parameters MAY be used.\""""
    counts = Counter(name for name, _ in parameters(FULL))
    assert {name for name, count in counts.items() if count > 1} == {"resource"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"client_id": ""}, "client_id"),
        ({"client_id": "ä"}, "client_id"),
        ({"client_id": "a" * (MAX_VALUE + 1)}, "client_id"),
        ({"redirect_uri": "/callback"}, "redirect_uri"),
        ({"redirect_uri": "https://app.example.com/#x"}, "redirect_uri"),
        ({"redirect_uri": "javascript:alert(1)"}, "redirect_uri"),
        ({"scope": ()}, "scope lacks openid"),
        ({"scope": ("profile",)}, "scope lacks openid"),
        ({"scope": ("openid", "a b")}, "scope"),
        ({"scope": ("openid", 'a"')}, "scope"),
        ({"scope": ("openid", "")}, "scope"),
        ({"scope": ("openid", "openid")}, "scope"),
        ({"scope": ("openid", *map(str, range(MAX_WORDS)))}, "scope"),
        ({"state": ""}, "state"),
        ({"state": "a b"}, "state"),
        ({"state": "a" * 513}, "state"),
        ({"nonce": ""}, "nonce"),
        ({"nonce": "a\n"}, "nonce"),
        ({"code_challenge": ""}, "code_challenge"),
        ({"code_challenge": "v" * 44}, "code_challenge"),
        ({"response_mode": "web_message"}, "response_mode"),
        ({"code_challenge": None}, "code_challenge"),
        ({"pkce": False}, "code_challenge"),
        ({"response_type": ResponseType("id_token")}, "code_challenge"),
        ({**HYBRID, "response_mode": "query"}, "response_mode: no tokens in a query"),
        ({**HYBRID, "response_mode": "query.jwt"}, "response_mode"),
        ({"response_mode": ""}, "response_mode"),
        ({"acr_values": ("a b",)}, "acr_values"),
        ({"acr_values": ("ä",)}, "acr_values"),
        ({"acr_values": ("a" * (MAX_VALUE + 1),)}, "acr_values"),
        ({"max_age": -1}, "max_age"),
        ({"max_age": 2**31}, "max_age"),
        ({"prompt": ("none", "login")}, "prompt"),
        ({"prompt": ("Login",)}, "prompt"),
        ({"display": "fullscreen"}, "display"),
        ({"login_hint": "a\r\nb"}, "login_hint"),
        ({"login_hint": "\ud800"}, "login_hint"),
        ({"login_hint": "a" * (MAX_VALUE + 1)}, "login_hint"),
        ({"id_token_hint": "\x00"}, "id_token_hint"),
        ({"ui_locales": ("de_CH",)}, "ui_locales"),
        ({"claims_locales": ("",)}, "claims_locales"),
        ({"claims": {"id_token": []}}, "claims"),
        ({"resource": ("/orders",)}, "resource"),
        ({"resource": ("https://api.example.com/#a",)}, "resource"),
        ({"resource": ("https://api.example.com/ ",)}, "resource"),
        ({"resource": ("urn:a", "urn:a")}, "resource"),
        ({"dpop_jkt": "short"}, "dpop_jkt"),
        ({"extra": (("state", "x"),)}, "state"),
        ({"extra": (("a", "x"), ("a", "y"))}, "a is there twice"),
        ({"extra": (("a", "x\n"),)}, "a has characters"),
    ],
)
def test_what_the_standards_do_not_allow_is_refused(
    changes: dict[str, object], named: str
) -> None:
    with pytest.raises(ValueError, match=f"^{named}"):
        request(**changes)


def test_prompt_none_stands_alone() -> None:
    """Core 3.1.2.1: "If this parameter contains none with any other value, an error is
    returned.\""""
    assert ("prompt", "none") in parameters(request(prompt=("none",)))


def test_a_refusal_does_not_hold_what_was_asked() -> None:
    with pytest.raises(ValueError, match="login_hint") as caught:
        request(login_hint="alice@example.com\x00")
    assert "alice" not in str(caught.value)


def test_what_names_a_login_is_not_shown() -> None:
    shown = repr(FULL)
    for secret in ("a-state", "a-nonce", "ålice", "a.b.c"):
        assert secret not in shown


@pytest.mark.parametrize(
    "name",
    [
        *("client_id", "redirect_uri", "response_type", "scope", "state", "nonce"),
        *("code_challenge", "code_challenge_method", "request", "request_uri"),
        *("response_mode", "max_age", "acr_values", "prompt", "claims", "resource"),
        *("login_hint", "ui_locales", "dpop_jkt", "client_secret", "client_assertion"),
        *("client_assertion_type", "iss", "sub", "aud", "exp", "nbf", "iat", "jti"),
    ],
)
def test_extra_parameters_replace_none_of_ours(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} is set already"):
        check_extra([name])


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a&state", "ä", "a" * 65, "a\n"])
def test_extra_parameters_have_names(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a parameter"):
        check_extra([name])


def test_other_extra_parameters_are_allowed_once() -> None:
    check_extra(["hd", "domain_hint", "State"])
    with pytest.raises(ValueError, match="hd is there twice"):
        check_extra(["hd", "hd"])


def test_the_claims_of_a_request_object() -> None:
    """RFC 9101 4: "iss" client_id, "aud" the issuer; numbers and JSON as they are."""
    claims = request_object_claims(
        FULL, issuer=ISSUER, now=NOW, lifetime=60, jti="said-once"
    )
    times = {"iat": 1_800_000_000, "nbf": 1_800_000_000, "exp": 1_800_000_060}
    expected = {
        **dict(parameters(FULL)),
        **times,
        "iss": "proxy",
        "aud": ISSUER,
        "jti": "said-once",
        "max_age": 0,
        "claims": {"id_token": {"acr": {"essential": True}}},
        "resource": ["https://api.example.com/", "urn:example:other"],
    }
    assert claims == expected
    assert json.loads(json.dumps(claims)) == claims


def test_a_request_object_is_no_assertion() -> None:
    """RFC 9101 10.8 (cross-JWT confusion): no ``sub``; no request within a request."""
    claims = request_object_claims(request(), issuer=ISSUER, now=NOW, lifetime=60)
    assert not {"sub", "jti", "request", "request_uri"} & claims.keys()


def test_one_resource_stays_a_string() -> None:
    one = request(resource=("urn:a",))
    claims = request_object_claims(one, issuer=ISSUER, now=NOW, lifetime=60)
    assert claims["resource"] == "urn:a"


@pytest.mark.parametrize(
    "lifetime", [0, -1, 0.5, MAX_OBJECT_LIFETIME + 1, float("nan")]
)
def test_a_request_object_is_good_for_a_while(lifetime: float) -> None:
    with pytest.raises(ValueError, match="a lifetime is"):
        request_object_claims(request(), issuer=ISSUER, now=NOW, lifetime=lifetime)


def test_everything_is_pushed() -> None:
    """RFC 9126 2.1: all parameters; never ``request_uri``."""
    assert pushed_fields(FULL) == parameters(FULL)


def test_beside_a_pushed_request_object_there_is_only_the_client() -> None:
    """RFC 9126 3: other parameters than those of client authentication stand inside."""
    assert pushed_fields(FULL, "a.b.c") == (
        ("client_id", "proxy"),
        ("request", "a.b.c"),
    )


def test_the_browser_carries_only_the_name_of_what_was_pushed() -> None:
    uri = "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c"
    assert front_url(ENDPOINT, front_fields("proxy", uri)) == (
        f"{ENDPOINT}?client_id=proxy&request_uri={uri.replace(':', '%3A')}"
    )


def test_the_query_of_an_endpoint_is_retained() -> None:
    """RFC 6749 3.1: the query component "MUST be retained"."""
    url = front_url(f"{ENDPOINT}?p=policy&q=a%20b", [("state", "a b&c+d=é")])
    assert url == f"{ENDPOINT}?p=policy&q=a%20b&state=a%20b%26c%2Bd%3D%C3%A9"
    assert front_url(f"{ENDPOINT}?", [("a", "b")]) == f"{ENDPOINT}?a=b"
    assert front_url("https://op.example", [("a", "b")]) == "https://op.example?a=b"


@pytest.mark.parametrize(
    "endpoint",
    [
        f"{ENDPOINT}?state=x",
        f"{ENDPOINT}?st%61te=x",
        f"{ENDPOINT}?a&state",
        f"{ENDPOINT}#a",
        "https://user@op.example/authorize",
        "//op.example/authorize",
        "javascript:alert(1)//",
        "https://op.example/authorize\r\nX: y",
        "",
    ],
)
def test_an_endpoint_that_would_say_something_else_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="authorization endpoint"):
        front_url(endpoint, parameters(request()))


def test_a_url_has_a_longest_length() -> None:
    fields = [("a", "b" * (MAX_URL - len(ENDPOINT) - 3))]
    assert len(front_url(ENDPOINT, fields)) == MAX_URL
    with pytest.raises(ValueError, match="more than"):
        front_url(f"{ENDPOINT}s", fields)


WORDS = st.lists(st.text(max_size=5), max_size=3).map(tuple)
TEXT = st.text(max_size=8)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(
                ["client_id", "state", "nonce", "login_hint", "display"], TEXT
            ),
            **dict.fromkeys(["acr_values", "prompt", "ui_locales", "resource"], WORDS),
            "scope": WORDS.map(lambda words: ("openid", *words)),
            "max_age": st.integers(),
            "extra": st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple),
            "redirect_uri": TEXT.map("https://a/".__add__),
        },
    )
)
def test_a_provider_reads_what_was_asked(changes: dict[str, Any]) -> None:
    """Whatever a request is made of, its URL says that and nothing more."""
    try:
        made = request(**changes)
    except ValueError:
        return
    url = front_url(ENDPOINT, parameters(made))
    assert url.isascii()
    assert url.isprintable()
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == ENDPOINT
    read = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
    assert tuple(read) == parameters(made)


@pytest.mark.parametrize("text", ["id_token", "id_token token"])
def test_without_a_code_nothing_is_proven_with_one(text: str) -> None:
    asked = ResponseType(text)
    request = attrs.evolve(FULL, response_type=asked, code_challenge=None)
    fields = dict(parameters(request))
    assert fields["response_type"] == text
    assert not {"code_challenge", "code_challenge_method"} & fields.keys()
    assert fields["nonce"]


def test_a_code_is_asked_for_without_a_challenge_only_if_that_is_said() -> None:
    """RFC 7636 is for providers to support: some of them refuse what they have not."""
    request = attrs.evolve(FULL, pkce=False, code_challenge=None)
    changed = {"code_challenge", "code_challenge_method"}
    others = {n: v for n, v in parameters(FULL) if n not in changed}
    assert dict(parameters(request)) == others


def test_tokens_come_as_a_form_or_behind_the_number_sign() -> None:
    for mode in ("fragment", "form_post", "fragment.jwt", "form_post.jwt", "jwt", None):
        request = attrs.evolve(FULL, response_mode=mode, **HYBRID)
        assert dict(parameters(request))["response_type"] == "code id_token"
