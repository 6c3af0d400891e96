"""``?info=`` and ``?refresh=`` at the redirect path of mod_auth_openidc."""

import json
from typing import Any, get_args
from urllib.parse import quote

import attrs
import pytest

from sso_proxy.config.apache_parts import InfoMember
from sso_proxy.endpoints.apache_info import ApacheInfo
from sso_proxy.errors import UnavailableError
from sso_proxy.pages import default_pages
from sso_proxy.session import Session
from sso_proxy.testing.fakes import make_identity, make_request
from tests.support.apache_scene import REDIRECT, ApacheScene, logged_in
from tests.support.info_scene import OWN
from tests.support.login_scene import OWN_PAGE

EVERY: tuple[InfoMember, ...] = (
    "iat",
    "access_token",
    "access_token_expires",
    "exp",
    "timeout",
    "remote_user",
    "session",
)
FOREIGN = (b"Sec-Fetch-Site: cross-site", b"Origin: https://evil.example")


def told(scene: ApacheScene, query: str = "info=json") -> dict[str, Any]:
    seen = scene.ask(f"{REDIRECT}?{query}", *OWN)
    assert seen.status == 200, scene.reason
    found: dict[str, Any] = json.loads(seen.body)
    return found


def test_everything_has_its_name_and_type_and_order() -> None:
    scene = logged_in(options={"info": EVERY})
    now, session = int(scene.tools.clock.now), scene.session()
    assert list(told(scene).items()) == [
        ("iat", now),
        ("access_token", "access-0"),
        ("access_token_type", "Bearer"),
        ("access_token_expires", now + 300),
        ("exp", int(session.expires)),
        ("timeout", int(scene.store.inactive_at(session))),
        ("remote_user", "alice"),
        ("session", {"uuid": session.id}),
    ]


def test_the_expiry_is_a_number_as_documented_instead_of_a_string() -> None:
    scene = logged_in(options={"info": ("access_token_expires",)})
    assert type(told(scene)["access_token_expires"]) is int


def test_only_what_is_configured_is_told() -> None:
    scene = logged_in(options={"info": ("remote_user",)})
    assert told(scene) == {"remote_user": "alice"}


def test_documents_of_the_provider_are_told_where_somebody_wrote_so() -> None:
    documents = {"id_token": {"sub": "alice"}, "userinfo": {"email": "a@b.example"}}
    session = Session(
        id="s",
        identity=attrs.evolve(make_identity(), sources=documents),
        created=0.0,
        used=0.0,
        expires=9.0,
        data={"id_token": "a.b.c", "access_token": "x", "refresh_token": "never"},
    )

    def tell(*members: InfoMember) -> dict[str, Any]:
        request = make_request(query="info=json")
        info = ApacheInfo(request, members, None, default_pages())
        found: dict[str, Any] = json.loads(info.answer(session, "u", 5.5, ()).body)
        return found

    assert tell("access_token", "exp") == {
        "access_token": "x",
        "access_token_type": "Bearer",
        "exp": 9,
    }
    assert tell("id_token_hint", "id_token", "userinfo", "access_token_expires") == {
        "id_token_hint": "a.b.c",
        **documents,
    }
    assert "never" not in json.dumps(tell(*get_args(InfoMember)))


def test_html_is_the_same_escaped() -> None:
    scene = logged_in(options={"info": ("remote_user",)})
    seen = scene.ask(f"{REDIRECT}?info=html", *OWN)
    assert dict(seen.headers)["content-type"] == "text/html; charset=utf-8"
    assert "<pre>{\n  &quot;remote_user&quot;: &quot;alice&quot;\n}</pre>" in seen.body


def test_without_a_session_it_is_401_before_anything_else() -> None:
    for query in ("info=json", "info=xml"):
        assert ApacheScene().ask(f"{REDIRECT}?{query}", *OWN).status == 401


def test_without_a_list_it_is_404_and_another_format_415() -> None:
    assert logged_in().ask(f"{REDIRECT}?info=json", *OWN).status == 404
    scene = logged_in(options={"info": ("exp",)})
    assert scene.ask(f"{REDIRECT}?info=xml", *OWN).status == 415


def test_pages_of_others_are_refused_instead() -> None:
    scene = logged_in(options={"info": ("exp",)})
    assert scene.ask(f"{REDIRECT}?info=json", *FOREIGN).status == 403


def test_new_tokens_are_got_when_the_page_wants() -> None:
    scene = logged_in(options={"info": ("access_token",)})
    scene.tools.clock.now += 60
    query = "info=json&access_token_refresh_interval="
    assert told(scene, query + "100")["access_token"] == "access-0"
    assert told(scene, query + "30")["access_token"] == "access-1"
    assert told(scene)["access_token"] == "access-1"


def test_new_tokens_are_kept_even_if_the_session_is_not_extended() -> None:
    scene = logged_in(options={"info": ("access_token", "timeout")})
    before = told(scene)["timeout"]
    scene.tools.clock.now += 120
    query = "info=json&access_token_refresh_interval=0&extend_session=false"
    assert told(scene, query)["access_token"] == "access-1"
    assert told(scene, "info=json&extend_session=false") == {
        "access_token": "access-1",
        "access_token_type": "Bearer",
        "timeout": before,
    }
    assert scene.session().data["refresh_token"] == "refresh-1"


@pytest.mark.parametrize("query", ["access_token_refresh_interval=x", "info=html"])
def test_what_makes_no_sense_is_400(query: str) -> None:
    scene = logged_in(options={"info": ("exp",)})
    assert scene.ask(f"{REDIRECT}?info=json&{query}", *OWN).status == 400


def refreshed(scene: ApacheScene, query: str, *fields: bytes) -> str:
    url = f"{REDIRECT}?refresh={quote('/a?b=1', safe='')}{query}"
    seen = scene.ask(url, *(fields or OWN_PAGE))
    assert seen.status == 302, scene.reason
    return seen.location


def test_a_page_refreshes_its_token_and_goes_on() -> None:
    scene = logged_in()
    scene.tools.clock.now += 60
    assert refreshed(scene, "&access_token=access-0") == "/a?b=1"
    assert scene.session().data["access_token"] == "access-1"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("", "no_access_token"),
        ("&access_token=other", "no_access_token_match"),
    ],
)
def test_who_does_not_know_the_token_refreshes_nothing(query: str, error: str) -> None:
    scene = logged_in()
    scene.tools.clock.now += 60
    assert refreshed(scene, query) == f"/a?b=1&error_code={error}"
    assert scene.login.spent == []


def test_without_a_session_there_is_no_token() -> None:
    found = refreshed(ApacheScene(), "&access_token=x")
    assert found == "/a?b=1&error_code=no_access_token_exists"


def test_a_provider_that_gives_nothing_is_told() -> None:
    scene = logged_in()
    scene.tools.clock.now += 60
    scene.login.failure = UnavailableError("the provider")
    found = refreshed(scene, "&access_token=access-0")
    assert found == "/a?b=1&error_code=refresh_failed"


@pytest.mark.parametrize("target", ["", "https://evil.example/", "//evil.example"])
def test_nobody_is_sent_elsewhere_by_a_refresh_instead_of_500(target: str) -> None:
    scene = logged_in()
    seen = scene.ask(f"{REDIRECT}?refresh={quote(target, safe='')}", *OWN_PAGE)
    assert (seen.status, seen.location) == (400, "")


def test_pages_of_others_refresh_nothing() -> None:
    scene = logged_in()
    scene.tools.clock.now += 60
    url = f"{REDIRECT}?refresh=%2F&access_token=access-0"
    assert scene.ask(url, *FOREIGN).status == 403
    assert scene.login.spent == []
