"""How pages watch a session at a provider."""

from typing import Any

import attrs
import pytest

from sso_proxy.login import Watch
from tests.support.caching import now
from tests.support.oidc_scene import ISSUER, OidcScene, asked

FRAME = "https://Check.example:443/frame?x=1"


def scene(url: str | None = FRAME, **options: Any) -> OidcScene:  # noqa: ANN401
    made = OidcScene(**options)
    made.provider.place = attrs.evolve(made.provider.place, check_session=url)
    return made


def test_a_page_learns_whom_to_ask_about_what() -> None:
    made = scene(check_session_interval=30.0)
    made.good(session_state="a'b<")
    assert now(made.login.watch(made.request().session)) == Watch(
        url=FRAME,
        origin="https://check.example",
        client_id="app",
        state="a'b<",
        interval=30.0,
        frames=("https://check.example", ISSUER),
    )


def test_without_a_session_there_is_the_providers_frame_only() -> None:
    found = now(scene().login.watch(None))
    assert found is not None
    assert (found.url, found.state) == (FRAME, "")


@pytest.mark.parametrize("url", [None, "https://[x/frame"])
def test_a_provider_without_a_frame_has_none(url: str | None) -> None:
    assert now(scene(url).login.watch(None)) is None


def test_the_frame_is_that_of_the_provider_of_the_session() -> None:
    made = scene()
    made.good()
    session = made.request().session
    assert session is not None
    other = attrs.evolve(session, data={**session.data, "provider": "https://other"})
    assert now(made.login.watch(other)) is None


def test_what_an_operator_says_counts() -> None:
    config = OidcScene(check_session_iframe="https://op.example/f").parts.config
    assert config.overrides.check_session == "https://op.example/f"


def again(made: OidcScene) -> dict[str, str]:
    """Begin a login that nobody sees."""
    session = made.request().session
    assert session is not None
    identity = session.identity
    who = (identity.issuer, identity.subject)
    return asked(made.begin(target="/.sso/iframe/rp/corp", silent_for=who))


def test_nobody_is_asked_anything_where_nobody_looks() -> None:
    made = scene(prompt=("login",), max_age=60)
    made.provider.claims["auth_time"] = int(made.clock.time())
    made.good()
    fields = again(made)
    session = made.request().session
    assert session is not None
    assert fields["prompt"] == "none"
    assert fields["id_token_hint"] == session.data["id_token"]
    assert fields["max_age"] == "60", "what is enforced is enforced here, too"
    assert "response_mode" not in fields


def test_its_cookie_comes_along_whoever_sends_the_browser_back() -> None:
    made = scene()
    made.good()
    session = made.request().session
    assert session is not None
    response = made.begin(silent_for=(ISSUER, "alice"))
    cookies = [value for name, value in response.headers if name == "set-cookie"]
    assert any("SameSite=None" in cookie for cookie in cookies)


def test_no_page_is_needed_to_read_what_is_behind_a_hash() -> None:
    made = scene(response_type="code id_token")
    fields = asked(made.begin())
    assert "response_mode" not in fields
    assert asked(made.begin(silent_for=(ISSUER, "a")))["response_mode"] == "form_post"


def test_the_same_user_has_the_new_state() -> None:
    made = scene()
    made.good(session_state="one")
    fields = again(made)
    answer = {"state": fields["state"], "code": "c", "session_state": "two"}
    made.callback(answer)
    session = made.request().session
    assert session is not None
    assert session.data["session_state"] == "two"


def test_the_back_button_does_not_lead_into_a_frame() -> None:
    made = scene()
    made.good()
    made.callback({"state": again(made)["state"], "code": "c"})
    session = made.request().session
    assert session is not None
    assert "target" not in session.data
