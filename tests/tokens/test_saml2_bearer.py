"""Tokens for SAML assertions."""

from base64 import b64encode, urlsafe_b64decode
from typing import Any

import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.specs.wstrust.names import SAML2
from sso_proxy.specs.xml import name_of, parse_xml
from sso_proxy.testing.fakes import FakeTokenSource, make_request
from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.saml2_bearer import Saml2BearerSource
from sso_proxy.tokens.wstrust import WsTrustSource
from tests.support.remote_scene import SECRET, RemoteScene, caller
from tests.support.trust_scene import always, assertion, find, issued

CLIENT: dict[str, Any] = {"client_id": "proxy", "client_secret": Secret(SECRET)}
SAML2_BEARER = "urn:ietf:params:oauth:grant-type:saml2-bearer"
SAML = (
    '<saml2:Assertion xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1">'
    "<saml2:Subject>alice &amp; bob</saml2:Subject></saml2:Assertion>"
)


def make(**options: Any) -> RemoteScene:  # noqa: ANN401
    return RemoteScene(Saml2BearerSource, **(CLIENT | options))


def from_other(value: str) -> RemoteScene:
    scene = make(subject="token:sts")
    scene.tools.tokens["sts"] = FakeTokenSource(Token(value=value))
    return scene


@pytest.mark.parametrize("value", [SAML, b64encode(SAML.encode()).decode()])
def test_an_assertion_is_sent_as_it_was_signed(value: str) -> None:
    """RFC 7522 section 2.1; the server's double decodes it."""
    scene = from_other(value)
    assert isinstance(scene.ask(), Token)
    asked = scene.sts.last
    assert asked["grant_type"] == SAML2_BEARER
    sent = asked["assertion"]
    assert urlsafe_b64decode(sent + "=" * (-len(sent) % 4)).decode() == SAML
    assert scene.sts.complaints == []


def test_what_a_security_token_service_gives_becomes_an_access_token() -> None:
    """From WS-Trust to OAuth (RFC 7522 section 1)."""
    service = RemoteScene(WsTrustSource)
    service.sts.said = always(issued(assertion("alice")))
    server = "https://sts.example.com"
    scene = make(subject="token:sts", subject_audience=server)
    scene.tools.tokens["sts"] = service.source
    assert isinstance(scene.ask(), Token)
    sent = scene.sts.last["assertion"]
    root = parse_xml(urlsafe_b64decode(sent + "=" * (-len(sent) % 4)))
    assert name_of(root) == (SAML2, "Assertion")
    assert find(root, "Subject", "NameID").text == "alice"
    assert scene.sts.complaints == []


def test_one_from_a_client_is_read_before_it_is_sent() -> None:
    scene = make(subject="header:saml")
    bomb = f'<!DOCTYPE a [<!ENTITY b "c">]>{SAML}'
    for value in (SAML.replace("Assertion", "Response"), bomb, "opaque"):
        answer = scene.ask(caller(request=make_request(headers={"saml": value})))
        assert isinstance(answer, NotIssued)
        assert (answer.reason, answer.status) == ("token-malformed", 400)
    assert scene.sts.count == 0
    good = caller(request=make_request(headers={"saml": SAML}))
    assert isinstance(scene.ask(good), Token)


def test_a_server_that_gives_no_assertion_is_not_the_callers_fault() -> None:
    answer = from_other("opaque").ask()
    assert isinstance(answer, NotIssued)
    assert (answer.reason, answer.status) == ("token-unusable", 502)


@pytest.mark.parametrize("subject", ["none", "access_token"])
def test_it_has_to_be_made_from_an_assertion(subject: str) -> None:
    with pytest.raises(ValueError, match="subject is missing"):
        make(subject=subject).make()
