"""Tokens of a security token service: asked for safely, and told apart when refused."""

import zlib
from base64 import b64decode, b64encode, urlsafe_b64encode
from typing import Any

import attrs
import pytest
from zope.interface.verify import verifyObject

from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ITokenSource
from sso_proxy.model import Caller
from sso_proxy.specs.wstrust.names import SAML2, SAML2_TYPE, WST
from sso_proxy.specs.wstrust.source import read_assertion
from sso_proxy.specs.xml import Element, name_of, parse_xml
from sso_proxy.testing.fakes import NOW, make_request
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.saml2_bearer import Saml2BearerSource
from sso_proxy.tokens.wstrust import WsTrustSource
from sso_proxy.tokens.wstrust_config import JWT
from tests.support.remote_scene import ORDERS, STOCK, THEIRS, RemoteScene, caller
from tests.support.sts_faults import Said
from tests.support.trust_scene import (
    always,
    asked_for,
    assertion,
    binary,
    fault,
    find,
    issued,
    said,
    status,
)

OPAQUE = "urn:example:opaque"
PRESENTED = f'<a:Assertion xmlns:a="{SAML2}" ID="x">\n</a:Assertion>'


def make(content: str | bytes = "", code: int = 200, **options: Any) -> RemoteScene:  # noqa: ANN401
    scene = RemoteScene(WsTrustSource, **options)
    scene.sts.said = always(content or issued(assertion()), code)
    return scene


def cookie(value: str, user: str = "alice") -> Caller:
    return caller(request=make_request(headers={"cookie": f"t={value}"}), user=user)


def question(scene: RemoteScene) -> Element:
    return asked_for(scene.sts.asked[-1])[1]


def security(scene: RemoteScene) -> Element:
    return asked_for(scene.sts.asked[-1])[0]


def given(scene: RemoteScene, who: Caller | None = None) -> Token:
    answer = scene.ask(who)
    assert isinstance(answer, Token), answer
    return answer


def refused(answer: Token | NotIssued) -> tuple[str, int]:
    assert isinstance(answer, NotIssued)
    return answer.reason, answer.status


def test_it_is_a_token_source() -> None:
    verifyObject(ITokenSource, make().source)


def test_an_assertion_is_issued_for_the_callers_token() -> None:
    scene = make()
    token = given(scene)
    value = b64decode(token.value)
    assert name_of(parse_xml(value)) == (SAML2, "Assertion")
    assert token.expires == NOW + 600
    asked = question(scene)
    presented = find(asked, "OnBehalfOf", "BinarySecurityToken")
    assert b64decode(presented.text or "") == THEIRS.encode()
    assert presented.get("ValueType") == JWT
    address = find(asked, "AppliesTo", "EndpointReference", "Address")
    assert address.text == ORDERS.name
    assert find(asked, "TokenType").text == SAML2_TYPE
    assert find(asked, "KeyType").text == f"{WST}/Bearer"
    assert (
        scene.sts.asked[-1].headers["content-type"].startswith("application/soap+xml")
    )


def test_each_message_has_a_name_of_its_own() -> None:
    scene = make()
    for audience in (ORDERS, STOCK):
        scene.ask(audience=audience)
    names = {
        find(parse_xml(asked.body), "Header", "MessageID").text
        for asked in scene.sts.asked
    }
    assert len(names) == 2
    assert all(name and name.startswith("urn:uuid:") for name in names)


def test_a_kept_token_is_given_without_asking() -> None:
    scene = make()
    assert given(scene) == given(scene)
    assert scene.sts.count == 1


def test_octets_are_given_as_they_are() -> None:
    scene = make(issued(binary(b"opaque.token", OPAQUE)), token_type=OPAQUE)
    token = given(scene)
    assert (token.value, token.kind) == ("opaque.token", OPAQUE)


@pytest.mark.parametrize(
    ("encode", "decode"),
    [
        ("raw", str.encode),
        ("base64", b64decode),
        ("base64url", lambda v: b64decode(v + "=" * (-len(v) % 4), b"-_")),
        ("deflate", lambda v: zlib.decompress(b64decode(v), -15)),
    ],
)
def test_the_backend_gets_it_encoded_as_it_wants(encode: str, decode: Any) -> None:  # noqa: ANN401
    value = given(make(encode=encode)).value
    assert decode(value) == given(make(encode="raw")).value.encode()
    assert encode == "raw" or value.split() == [value]


def test_octets_that_are_no_text_need_an_encoding() -> None:
    content = issued(binary(b"\xff\xfe", OPAQUE))
    answer = make(content, token_type=OPAQUE).ask()
    assert refused(answer) == ("token-unusable", 502)
    scene = make(content, token_type=OPAQUE, encode="base64")
    assert b64decode(given(scene).value) == b"\xff\xfe"


@pytest.mark.parametrize("part", ["on_behalf_of", "act_as", "header"])
@pytest.mark.parametrize("form", ["binary", "saml", "username"])
def test_every_form_can_stand_everywhere(form: str, part: str) -> None:
    scene = make(subject="cookie:t", subject_form=form, subject_in=part)
    scene.ask(cookie(b64encode(PRESENTED.encode()).decode()))
    header, asked = asked_for(scene.sts.asked[-1])
    names = {"on_behalf_of": "OnBehalfOf", "act_as": "ActAs"}
    where = header if part == "header" else find(asked, names[part])
    kinds = {
        "binary": "BinarySecurityToken",
        "saml": "Assertion",
        "username": "UsernameToken",
    }
    assert name_of(where[-1])[1] == kinds[form]


@pytest.mark.parametrize(
    "value",
    [
        PRESENTED.replace("\n", " "),
        b64encode(PRESENTED.encode()).decode(),
        urlsafe_b64encode(PRESENTED.encode()).decode().rstrip("="),
    ],
)
def test_an_assertion_is_read_and_written_by_us(value: str) -> None:
    scene = make(subject="header:x-saml", subject_form="saml")
    request = make_request(headers={"x-saml": value})
    given(scene, caller(request=request))
    plain = value if value.startswith("<") else PRESENTED
    expected = read_assertion(plain.encode()).document
    assert scene.sts.asked[-1].body.count(expected) == 1


def test_a_name_alone_is_trusted_to_us() -> None:
    scene = make(subject="none", subject_form="username")
    given(scene)
    token = find(question(scene), "OnBehalfOf", "UsernameToken")
    assert [(name_of(child)[1], child.text) for child in token] == [
        ("Username", "alice")
    ]


def test_who_has_no_name_gets_none_by_name() -> None:
    scene = make(subject="none", subject_form="username")
    assert refused(scene.ask(caller(user=""))) == ("token-missing", 403)
    assert scene.sts.count == 0


def test_one_name_is_not_given_what_another_got() -> None:
    """One credential, mapped to two users of the backend (C11)."""
    scene = make(subject="cookie:t", subject_form="username")
    for user in ("alice", "bob", "alice"):
        given(scene, cookie("same", user))
    assert scene.sts.count == 2


def test_octets_that_are_encoded_already_are_not_encoded_twice() -> None:
    scene = make(subject="cookie:t", subject_encoding="base64", value_type="urn:x")
    given(scene, cookie("AQID_-8"))
    token = find(question(scene), "OnBehalfOf", "BinarySecurityToken")
    assert b64decode(token.text or "") == b"\x01\x02\x03\xff\xef"
    assert refused(scene.ask(cookie("a!b"))) == ("token-malformed", 400)


def test_an_actor_stands_beside_the_subject() -> None:
    scene = make(actor="cookie:t", actor_in="header", actor_value_type="urn:a")
    given(scene, cookie("actor"))
    (times, token) = security(scene)
    assert name_of(times)[1] == "Timestamp"
    assert (token.get("ValueType"), b64decode(token.text or "")) == ("urn:a", b"actor")


SECRET = "p\u00e4ss <word>"


def test_http_says_who_we_are() -> None:
    scene = make(auth="basic", username="proxy", password=Secret(SECRET))
    given(scene)
    told = scene.sts.asked[-1].headers["authorization"]
    assert b64decode(told.removeprefix("Basic ")).decode() == f"proxy:{SECRET}"
    assert len(security(scene)) == 1


def test_soap_says_who_we_are() -> None:
    scene = make(auth="username_token", username="proxy", password=Secret(SECRET))
    given(scene)
    token = find(security(scene), "UsernameToken")
    assert [child.text for child in token] == ["proxy", SECRET]


def test_a_digest_is_another_one_each_time() -> None:
    scene = make(auth="username_digest", username="proxy", password=Secret(SECRET))
    found = []
    for audience in (ORDERS, STOCK):
        scene.ask(audience=audience)
        token = find(security(scene), "UsernameToken")
        found.append(find(token, "Password").text)
        assert len(b64decode(find(token, "Nonce").text or "")) == 16
    assert len(set(found)) == 2


def test_the_password_is_in_no_answer_and_no_description() -> None:
    scene = make(
        fault("wsse:FailedAuthentication", f"bad {THEIRS}"),
        auth="username_token",
        username="proxy",
        password=Secret("geheim"),
    )
    answer = scene.ask()
    assert THEIRS not in repr(answer)
    assert "geheim" not in repr((answer, scene.source))


@pytest.mark.parametrize(
    ("code", "reason", "http"),
    [
        ("wsse:FailedAuthentication", "token-refused", 401),
        ("t:InvalidSecurityToken", "token-refused", 401),
        ("t:ExpiredData", "token-refused", 401),
        ("t:InvalidScope", "token-target", 403),
        ("t:RequestFailed", "token-refused", 403),
        ("t:UnheardOf", "token-refused", 403),
    ],
)
@pytest.mark.parametrize("status", [400, 500, 200])
def test_a_refusal_is_the_callers(
    code: str, reason: str, http: int, status: int
) -> None:
    answer = make(fault(code, "why"), status).ask()
    assert refused(answer) == (reason, http)
    assert isinstance(answer, NotIssued)
    assert answer.detail.endswith(": why")


def test_what_the_service_does_not_take_from_us_is_no_callers_fault() -> None:
    scene = make(fault("t:BadRequest", "what?"), 400)
    assert refused(scene.ask()) == ("token-unusable", 502)
    scene.sts.said = always(issued(assertion()))
    given(scene)  # and is not kept


@pytest.mark.parametrize(
    ("content", "code", "expected"),
    [
        (fault("t:Own", role="Receiver"), 500, 502),
        (b"<html>", 500, 502),
        (b"", 503, 503),
        (b"", 429, 503),
        (b"", 504, 504),
        (b"", 401, 502),
        (b"", 403, 502),
    ],
)
def test_a_service_that_fails_is_an_outage(
    content: str | bytes, code: int, expected: int
) -> None:
    scene = make()
    scene.sts.said = always(content, code)
    with pytest.raises(UnavailableError) as caught:
        scene.ask()
    assert caught.value.status == expected


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", 200),
        (b"<html/>", 200),
        (issued(assertion()), 400),
        (issued(assertion()), 302),
        (issued(assertion()), 202),
        (issued(binary(b"token", OPAQUE)), 200),
        (issued(assertion(end=0)), 200),
        (issued(assertion() + assertion("mallory").replace('"i"', '"j"')), 200),
    ],
)
def test_an_answer_that_is_none_is_not_kept(content: str | bytes, code: int) -> None:
    scene = make()
    scene.sts.said = always(content, code)
    for _ in range(2):
        assert refused(scene.ask()) == ("token-unusable", 502)
    assert scene.sts.count == 2


@pytest.mark.parametrize("fault_of", ["reset", "endless"])
def test_a_broken_connection_is_an_outage(fault_of: Any) -> None:  # noqa: ANN401
    scene = make()
    scene.sts.said = lambda _: Said(how=fault_of)
    with pytest.raises(UnavailableError) as caught:
        scene.ask()
    assert caught.value.status == 502


def test_two_media_types_are_none() -> None:
    scene = make()
    good = said(issued(assertion()))
    scene.sts.said = lambda _: Said(body=good.body, headers=good.headers * 2)
    assert refused(scene.ask()) == ("token-unusable", 502)


def test_what_is_valid_goes_on_as_it_was() -> None:
    scene = make(status("valid"), action="validate", subject="cookie:t")
    assert given(scene, cookie("legacy")).value == "legacy"
    target = find(question(scene), "ValidateTarget", "BinarySecurityToken")
    assert b64decode(target.text or "") == b"legacy"


def test_what_is_not_valid_does_not_go_on() -> None:
    answer = make(status("invalid"), action="validate").ask()
    assert refused(answer) == ("token-refused", 401)
    assert isinstance(answer, NotIssued)
    assert answer.detail == "not valid: because"


def test_it_must_be_said_whom_tokens_are_for() -> None:
    source = make().source
    with pytest.raises(ValueError, match="is missing"):
        source.check_audience(Audience())
    with pytest.raises(ValueError, match="XML cannot hold"):
        source.check_audience(Audience(name="a\0"))
    source.check_audience(ORDERS)
    make(applies_to="urn:x").source.check_audience(Audience())
    make(action="validate").source.check_audience(Audience())


def test_the_tables_audience_is_asked_for_if_the_route_says_none() -> None:
    scene = make(applies_to="urn:orders")
    scene.ask(audience=Audience())
    asked = find(question(scene), "AppliesTo", "EndpointReference", "Address")
    assert asked.text == "urn:orders"


BAD_XML = {
    "entity bomb": '<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>',
    "ends an element": f"</wst:OnBehalfOf>{PRESENTED}",
    "no xml": "token",
    "cut": PRESENTED[:-3],
    "deep": "<a>" * 9000,
    "another element": "<a/>",
}


@pytest.mark.parametrize("name", BAD_XML)
def test_no_assertion_is_not_sent(name: str) -> None:
    scene = make(subject="cookie:t", subject_form="saml")
    value = b64encode(BAD_XML[name].encode()).decode()
    assert refused(scene.ask(cookie(value))) == ("token-malformed", 400)
    assert scene.sts.count == 0


@pytest.mark.parametrize("form", ["saml", "binary"])
@pytest.mark.parametrize("value", ["<\ud800", "\udcff"])
def test_what_is_no_text_is_not_sent(form: str, value: str) -> None:
    scene = make(subject="header:X-Token", subject_form=form)
    request = make_request(headers={"x-token": value})
    found = refused(scene.ask(caller(request=request)))
    assert found == ("token-malformed", 400)
    assert scene.sts.count == 0


def test_a_fault_of_ours_is_not_blamed_on_who_asks() -> None:
    def fail(*_: object) -> Said:
        raise ValueError("a mistake of ours")

    scene = make()
    scene.sts.said = fail
    with pytest.raises(ValueError, match="of ours"):
        scene.ask()


def test_a_name_that_xml_cannot_hold_is_not_sent() -> None:
    scene = make(subject="none", subject_form="username")
    assert refused(scene.ask(caller(user="a\x01"))) == ("token-malformed", 400)
    assert scene.sts.count == 0


@pytest.mark.parametrize("name", ["</u>", "a]]>b", "\"'&<x/>", "p:n0", "\U0001f600"])
def test_a_name_is_text_whatever_is_in_it(name: str) -> None:
    scene = make(subject="none", subject_form="username")
    given(scene, attrs.evolve(caller(), user=name))
    token = find(question(scene), "OnBehalfOf", "UsernameToken", "Username")
    assert token.text == name


@pytest.mark.parametrize("size", [16384, 65537])
def test_a_huge_credential_is_not_sent(size: int) -> None:
    scene = make(subject="cookie:t", max_length=1000)
    assert refused(scene.ask(cookie("x" * size))) == ("token-large", 400)
    assert scene.sts.count == 0


def test_an_assertion_can_be_turned_into_an_access_token() -> None:
    """RFC 7522 section 2.1: the assertion in base64url."""
    first = make()
    second = RemoteScene(
        Saml2BearerSource,
        subject="token:assertion",
        client_id="proxy",
        client_secret=Secret("a-secret-of-32-octets-at-the-least"),
    )
    second.tools.tokens["assertion"] = make(applies_to="urn:login").source
    assert isinstance(second.ask(), Token)
    sent = second.sts.last["assertion"]
    plain = b64decode(sent + "=" * (-len(sent) % 4), b"-_")
    assert plain == b64decode(given(first).value)
