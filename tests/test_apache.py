"""What an application behind mod_auth_openidc gets, by all of the proxy's way."""

from typing import Any

import pytest

from sso_proxy.login import Wanted
from sso_proxy.model import REFUSED
from sso_proxy.testing.fakes import FakeMapper
from tests.support.apache_scene import REDIRECT, is_in, logged_in
from tests.support.caching import now
from tests.support.info_scene import OWN
from tests.support.oidc_scene import OidcScene, asked


def backend_fields(scene: Any) -> list[bytes]:  # noqa: ANN401
    head: bytes = scene.scene.backend.head
    return [line for line in head.split(b"\r\n") if line.lower().startswith(b"oidc")]


def test_the_backend_gets_the_fields_that_it_knows() -> None:
    scene = logged_in(options={"pass_on": ("access_token", "access_token_expires")})
    assert is_in(scene)
    expires = int(scene.tools.clock.now) + 300
    fields = backend_fields(scene)
    assert b"OIDC_access_token: access-0" in fields
    assert b"OIDC_access_token_expires: %d" % expires in fields


def test_two_claims_in_one_field_deny() -> None:
    scene = logged_in()
    scene.login.claims = {"a-b": "1", "a_b": "2"}
    again = logged_in(login=scene.login)
    assert again.page("/").status == 403
    assert again.reason == "header-value"


def test_who_may_not_get_in_is_told_nothing() -> None:
    scene = logged_in(options={"info": ("exp",)}, mappers=(FakeMapper(REFUSED),))
    assert scene.ask(f"{REDIRECT}?info=json", *OWN).status == 403


@pytest.mark.parametrize("callback", ["", REDIRECT])
def test_the_redirect_uri_is_the_one_of_the_path(callback: str) -> None:
    scene = OidcScene()
    wanted = Wanted(target="/", callback=callback)
    response = now(scene.login.begin(scene.request(), wanted))
    path = callback or "/.sso/callback/corp"
    assert asked(response)["redirect_uri"].endswith(path)
