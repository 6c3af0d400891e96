"""The pages and documents of the demo's provider."""

import json
import re
import time
from typing import Any

from twisted.web.test.requesthelper import DummyRequest

from sso_proxy.testing.demo.people import PEOPLE
from sso_proxy.testing.demo.provider import OpenIdProvider
from sso_proxy.testing.demo.provider_site import ProviderSite, server_tls
from sso_proxy.testing.pki import Pki
from tests.testing.demo.test_provider import BASIC, CLIENT, ISSUER, REQUEST, VERIFIER

SITE = ProviderSite(OpenIdProvider(issuer=ISSUER, client=CLIENT, now=time.time))


def ask(
    path: str, method: str = "GET", authorization: str = "", **form: str
) -> tuple[Any, str]:
    request: Any = DummyRequest([])
    request.path = path.encode()
    request.method = method.encode()
    request.args = {k.encode(): [v.encode()] for k, v in form.items()}
    if authorization:
        request.requestHeaders.setRawHeaders("authorization", [authorization])
    render = SITE.render_GET if method == "GET" else SITE.render_POST
    return request, render(request).decode()


def test_people_are_asked_who_they_are() -> None:
    request, page = ask("/authorize", **REQUEST)
    assert request.responseCode == 200
    buttons = re.findall(r'name="person" value="(.*?)"', page)
    assert buttons == [*PEOPLE, "nobody"]
    fields = re.findall(r'type="hidden" name="(.*?)"', page)
    assert fields == [*REQUEST]
    assert "st&amp;te" in page
    assert (
        "form-action"
        not in request.responseHeaders.getRawHeaders("content-security-policy")[0]
    )


def test_who_has_said_so_goes_back_and_the_code_is_good() -> None:
    request, _ = ask("/authorize", "POST", **REQUEST, person="bob")
    assert request.responseCode == 303
    (place,) = request.responseHeaders.getRawHeaders("location")
    code = re.findall("code=([^&]+)", place)[0]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REQUEST["redirect_uri"],
        "code_verifier": VERIFIER,
    }
    request, tokens = ask("/token", "POST", BASIC, **form)
    assert request.responseCode == 200
    token = json.loads(tokens)["access_token"]
    _, claims = ask("/userinfo", authorization=f"Bearer {token}")
    assert json.loads(claims)["sub"] == PEOPLE["bob"].subject


def test_a_link_logs_nobody_in() -> None:
    request, _ = ask("/authorize", **REQUEST, person="bob")
    assert request.responseCode == 200


def test_a_request_that_is_not_in_order_is_explained() -> None:
    request, page = ask("/authorize", **{**REQUEST, "response_type": "token"})
    assert request.responseCode == 400
    assert "response_type has to be code" in page


def test_documents_are_there_and_nothing_else() -> None:
    _, metadata = ask("/.well-known/openid-configuration")
    assert json.loads(metadata)["jwks_uri"] == f"{ISSUER}/jwks"
    (key,) = json.loads(ask("/jwks")[1])["keys"]
    assert "d" not in key
    assert ask("/admin")[0].responseCode == 404
    assert ask("/admin", "POST")[0].responseCode == 404


def test_browsers_are_not_asked_for_certificates() -> None:
    own = Pki.create().issue("the provider", ips=["127.0.0.1"], server=True)
    assert not server_tls(own).verify
