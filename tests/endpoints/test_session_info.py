"""A page asks about its user's session: who may, what it learns, and in which form."""

import json
from typing import Any

import pytest

from sso_proxy.config.route_parts import SessionInfoConfig
from sso_proxy.specs.http.cors import CorsRules
from sso_proxy.testing.fakes import FakeMapper
from tests.support.info_scene import OWN, InfoScene
from tests.support.login_scene import PAGE

SPA = "https://spa.example.com"
CORS = CorsRules(
    origins=frozenset({SPA}),
    credentials=True,
    methods="GET, POST",
    headers="Authorization",
    exposed="DPoP-Nonce",
    max_age=600,
)
FOREIGN = (b"Origin: " + SPA.encode(), b"Sec-Fetch-Site: cross-site")


def logged_in(kind: str = "server", **options: Any) -> InfoScene:  # noqa: ANN401
    scene = InfoScene(kind, **options)
    assert scene.log_in().status == 303
    return scene


def values(scene_answer: Any, name: str) -> list[str]:  # noqa: ANN401
    return [value for field, value in scene_answer.headers if field == name]


def test_it_says_who_that_is_and_how_long_it_lasts(kind: str) -> None:
    scene = logged_in(kind, options={"inactivity": 1800, "lifetime": 7200})
    begun = int(scene.tools.clock.now)

    assert scene.told() == {
        "remote_user": "alice",
        "created": begun,
        "expires": begun + 7200,
        "inactive_at": begun + 1800,
        "access_token_expires": begun + 300,
    }
    assert scene.scene.backend.asked == []
    assert scene.reason == "session-info"


def test_every_time_is_a_whole_number(kind: str) -> None:
    scene = logged_in(kind)
    scene.tools.clock.now += 61.9
    text = scene.info().body
    for name, value in json.loads(text).items():
        if name != "remote_user":
            assert isinstance(value, int), name
            assert f'"{name}": {value}' in text


def test_only_what_was_chosen_is_there() -> None:
    scene = InfoScene(info=SessionInfoConfig(show=(), claims=("email", "none")))
    scene.login.claims = {"email": "alice@example.com", "phone": "1"}
    scene.log_in()
    assert scene.told() == {"claims": {"email": "alice@example.com"}}


def test_the_access_token_is_there_where_somebody_wrote_so() -> None:
    scene = logged_in(info=SessionInfoConfig(show=("access_token",)))
    assert scene.told() == {"access_token": "access-0", "token_type": "Bearer"}
    plain = logged_in()
    assert "access-0" not in plain.info().body
    assert "refresh-0" not in scene.info().body


def test_the_user_is_called_as_at_the_backend() -> None:
    scene = logged_in(mappers=(FakeMapper("Alice Archer"),))
    assert scene.told()["remote_user"] == "Alice Archer"


def test_no_cache_keeps_it_and_nothing_takes_it_for_a_page(kind: str) -> None:
    seen = logged_in(kind).info()
    assert values(seen, "content-type") == ["application/json"]
    assert values(seen, "cache-control") == ["no-store"]
    assert values(seen, "x-content-type-options") == ["nosniff"]
    assert values(seen, "vary") == ["Cookie, Origin"]
    assert values(seen, "cross-origin-resource-policy") == ["same-origin"]
    assert not values(seen, "access-control-allow-origin")


def test_who_opens_it_in_a_tab_sees_text_in_which_nothing_is_html() -> None:
    scene = InfoScene(info=SessionInfoConfig(claims=("name",)))
    scene.login.claims = {"name": "<script>alert(1)</script>&\u2028"}
    scene.log_in()
    seen = scene.info("", *PAGE, b"Sec-Fetch-Site: none")
    assert seen.status == 200
    assert values(seen, "content-type") == ["application/json"]
    assert not set("<>&") & set(seen.body)
    assert json.loads(seen.body)["claims"] == scene.login.claims


@pytest.mark.parametrize("fields", [OWN, (*PAGE, b"Sec-Fetch-Site: none"), (b"A: b",)])
def test_without_a_session_it_is_401_and_nobody_is_sent_anywhere(
    kind: str, fields: tuple[bytes, ...]
) -> None:
    scene = InfoScene(kind)
    seen = scene.info("?refresh=0", *fields)
    assert (seen.status, scene.reason) == (401, "no-session")
    assert values(seen, "content-type") == ["application/problem+json"]
    assert json.loads(seen.body)["status"] == 401
    assert not values(seen, "location")
    assert not values(seen, "set-cookie")
    assert values(seen, "cache-control") == ["no-store"]
    assert scene.login.began == []


@pytest.mark.parametrize(
    "fields",
    [
        (b"Origin: https://evil.example",),
        (b"Origin: null",),
        (b"Origin: http://app.example.com",),
        (b"Origin: https://app.example.com:8443",),
        (b"Origin: https://sub.app.example.com", b"Sec-Fetch-Site: same-site"),
        (b"Origin: https://app.example.com", b"Sec-Fetch-Site: cross-site"),
        (b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Mode: no-cors"),
        (b"Sec-Fetch-Site: same-site",),
        (*PAGE, b"Sec-Fetch-Site: cross-site"),
        FOREIGN,
    ],
)
def test_pages_of_others_learn_nothing_and_cause_nothing(
    kind: str, fields: tuple[bytes, ...]
) -> None:
    scene = logged_in(kind)
    scene.tools.clock.advance(100)
    used = scene.session().used
    seen = scene.info("?refresh=0", *fields)
    assert (seen.status, scene.reason) == (403, "session-info-origin")
    assert "alice" not in seen.body
    assert not values(seen, "access-control-allow-origin")
    assert scene.login.spent == []
    assert scene.session().used == used


@pytest.mark.parametrize(
    "fields",
    [
        (b"Origin: https://app.example.com", b"Sec-Fetch-Site: same-origin"),
        (b"Origin: https://app.example.com",),
        (b"User-Agent: curl",),
    ],
)
def test_pages_of_the_same_origin_may_ask(fields: tuple[bytes, ...]) -> None:
    assert logged_in().told("", *fields)["remote_user"] == "alice"


def test_pages_of_a_listed_origin_may_ask_and_read(kind: str) -> None:
    scene = logged_in(kind, cors=CORS)
    seen = scene.info("", *FOREIGN)
    assert (seen.status, scene.reason) == (200, "session-info")
    assert values(seen, "access-control-allow-origin") == [SPA]
    assert values(seen, "access-control-allow-credentials") == ["true"]
    assert "Origin" in ", ".join(values(seen, "vary"))


def test_a_listed_page_can_read_that_nobody_is_logged_in() -> None:
    seen = InfoScene(cors=CORS).info("", *FOREIGN)
    assert seen.status == 401
    assert values(seen, "access-control-allow-origin") == [SPA]


def test_a_listed_origin_without_credentials_is_as_any_other() -> None:
    scene = logged_in(
        cors=CorsRules(
            origins=frozenset({"*"}),
            methods="GET",
            headers="",
            exposed="",
            max_age=1,
        )
    )
    seen = scene.info("", *FOREIGN)
    assert seen.status == 403
    assert "alice" not in seen.body


def test_a_preflight_of_a_listed_page_is_answered() -> None:
    scene = InfoScene(cors=CORS)
    asks = b"Access-Control-Request-Method: GET"
    seen = scene.ask("/.sso/session", *FOREIGN, asks, method="OPTIONS")
    assert (seen.status, scene.reason) == (204, "preflight")
    assert values(seen, "access-control-allow-origin") == [SPA]
    assert values(seen, "access-control-allow-methods") == ["GET, HEAD"]
    other = (b"Origin: https://evil.example", asks)
    assert scene.ask("/.sso/session", *other, method="OPTIONS").status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_405(method: str) -> None:
    seen = logged_in().ask("/.sso/session", *OWN, method=method, body=b"")
    assert seen.status == 405
    assert values(seen, "allow") == ["GET, HEAD"]


def test_head_has_no_body() -> None:
    seen = logged_in().ask("/.sso/session", *OWN, method="HEAD")
    assert (seen.status, seen.body) == (200, "")


@pytest.mark.parametrize(
    "query",
    [
        "?refresh=",
        "?refresh=-1",
        "?refresh=1.5",
        "?refresh=1e3",
        "?refresh=%D9%A1",
        "?refresh=9999999999",
        "?refresh=1&refresh=2",
        "?extend=no",
        "?extend=",
        "?extend=true&extend=false",
        "?a=1;refresh=0",
    ],
)
def test_what_makes_no_sense_is_400(query: str) -> None:
    scene = logged_in()
    assert scene.info(query).status == 400
    assert scene.login.spent == []


def test_what_it_does_not_know_it_ignores() -> None:
    assert logged_in().told("?_=123")["remote_user"] == "alice"


def test_asking_is_a_use_of_the_session(kind: str) -> None:
    scene = logged_in(kind, options={"inactivity": 600})
    for _ in range(4):
        scene.tools.clock.advance(400)
        assert scene.told()["inactive_at"] == int(scene.tools.clock.now) + 600


@pytest.mark.parametrize("by_config", [True, False])
def test_asking_passively_is_no_use(kind: str, by_config: bool) -> None:  # noqa: FBT001
    info, query = SessionInfoConfig(), "?extend=false"
    if by_config:
        info, query = SessionInfoConfig(extend=False), ""
    scene = logged_in(kind, options={"inactivity": 600}, info=info)
    begun = int(scene.tools.clock.now)
    for _ in range(2):
        scene.tools.clock.advance(290)
        seen = scene.info(query)
        assert json.loads(seen.body)["inactive_at"] == begun + 600
        if not scene.login.spent:
            assert not values(seen, "set-cookie")
    scene.tools.clock.advance(290)
    assert scene.info(query).status == 401


def test_a_page_may_say_that_it_is_a_use_where_it_is_none_by_default() -> None:
    info = SessionInfoConfig(extend=False)
    scene = logged_in(options={"inactivity": 600}, info=info)
    scene.tools.clock.advance(100)
    assert scene.told("?extend=true")["inactive_at"] == int(scene.tools.clock.now) + 600


@pytest.mark.parametrize("path", ["/.sso/session/x", "/.sso/session/"])
def test_below_it_is_nothing_of_a_session(path: str) -> None:
    seen = logged_in().ask(path, *OWN)
    assert seen.status == 404
    assert "alice" not in seen.body
