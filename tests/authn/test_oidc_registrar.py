"""Registrations are got once, kept for all processes, renewed and changed."""

import fcntl
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from sso_proxy.authn.oidc_registrar import AGAIN
from sso_proxy.errors import UnavailableError
from sso_proxy.net.http_client import HttpReply
from tests.support.caching import now
from tests.support.registering import ISSUER, RegisteringScene, registered


@pytest.fixture
def scene(tmp_path: Path) -> RegisteringScene:
    return RegisteringScene(tmp_path)


def methods(scene: RegisteringScene) -> list[str]:
    return [method for method, *_ in scene.http.asked]


def test_we_register_once_for_all_processes(scene: RegisteringScene) -> None:
    scene.http.replies = [registered()]
    found = now(scene.registrar.registration(scene.wish()))
    assert (found.client_id, found.client_secret) == ("us", "secret-1")
    assert now(scene.another().registration(scene.wish())) == found
    assert scene.another().stored(ISSUER) == found
    assert methods(scene) == ["POST"]


def test_nobody_else_can_read_what_is_kept(scene: RegisteringScene) -> None:
    scene.http.replies = [registered()]
    now(scene.registrar.registration(scene.wish()))
    modes = {path.stat().st_mode & 0o777 for path in scene.directory.iterdir()}
    assert modes == {0o600}
    assert scene.directory.stat().st_mode & 0o777 == 0o700


def test_the_provider_may_want_to_see_a_token(scene: RegisteringScene) -> None:
    scene.http.replies = [registered()]
    now(scene.registrar.registration(scene.wish("initial")))
    assert scene.http.asked[0][3]["Authorization"] == "Bearer initial"


def test_a_secret_is_renewed_before_it_ends(scene: RegisteringScene) -> None:
    ends = int(scene.clock.time()) + 7200
    later = ends + 86400
    new = registered(200, client_secret="secret-2", client_secret_expires_at=later)
    scene.http.replies = [registered(client_secret_expires_at=ends), new]
    now(scene.registrar.registration(scene.wish()))
    scene.clock.advance(3000)
    assert now(scene.registrar.registration(scene.wish())).client_secret == "secret-1"
    scene.clock.advance(1000)
    assert now(scene.registrar.registration(scene.wish())).client_secret == "secret-2"
    method, url, members, headers = scene.http.asked[-1]
    assert (method, url) == ("PUT", f"{ISSUER}/register/us")
    assert (members["client_id"], members["client_secret"]) == ("us", "secret-1")
    assert headers["Authorization"] == "Bearer token-1"


def test_we_register_anew_where_a_secret_cannot_be_renewed(
    scene: RegisteringScene,
) -> None:
    ends = int(scene.clock.time()) + 7200
    first = registered(client_secret_expires_at=ends, registration_client_uri=None)
    scene.http.replies = [first, registered(client_id="new")]
    now(scene.registrar.registration(scene.wish()))
    scene.clock.advance(4000)
    assert now(scene.registrar.registration(scene.wish())).client_id == "new"
    assert methods(scene) == ["POST", "POST"]


def test_what_changes_about_us_is_told(scene: RegisteringScene) -> None:
    scene.http.replies = [registered(), registered(200)]
    now(scene.registrar.registration(scene.wish()))
    now(scene.registrar.registration(scene.wish(client_name="New")))
    now(scene.registrar.registration(scene.wish(client_name="New")))
    assert methods(scene) == ["POST", "PUT"]
    assert scene.http.asked[-1][2]["client_name"] == "New"


def test_what_is_still_good_is_used_while_a_provider_is_down(
    scene: RegisteringScene,
) -> None:
    down = UnavailableError("down")
    scene.http.replies = [registered(), down, down, registered(200)]
    found = now(scene.registrar.registration(scene.wish()))
    again = scene.wish(client_name="New")
    assert now(scene.registrar.registration(again)) == found
    assert now(scene.registrar.registration(again)) == found
    assert methods(scene) == ["POST", "PUT", "POST"], "and is not asked at once"
    scene.clock.advance(AGAIN)
    now(scene.registrar.registration(again))
    assert methods(scene)[3:] == ["PUT"]


def test_a_provider_that_refuses_is_not_asked_at_once(scene: RegisteringScene) -> None:
    body = b'{"error": "invalid_redirect_uri"}'
    scene.http.replies = [HttpReply(status=400, body=body)]
    for _ in range(2):
        with pytest.raises(UnavailableError):
            now(scene.registrar.registration(scene.wish()))
    assert methods(scene) == ["POST"]


def test_a_secret_that_has_ended_is_not_used(scene: RegisteringScene) -> None:
    ends = int(scene.clock.time()) + 10
    scene.http.replies = [registered(client_secret_expires_at=ends)]
    now(scene.registrar.registration(scene.wish()))
    assert scene.registrar.stored(ISSUER) is not None
    scene.clock.advance(10)
    assert scene.registrar.stored(ISSUER) is None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"issuer": "https://other"}'])
def test_a_file_that_is_none_of_ours_is_not_used(
    scene: RegisteringScene, content: str
) -> None:
    scene.http.replies = [registered(), registered(client_id="new")]
    now(scene.registrar.registration(scene.wish()))
    (file,) = scene.directory.glob("*.json")
    file.write_text(content)
    assert scene.registrar.stored(ISSUER) is None
    assert now(scene.registrar.registration(scene.wish())).client_id == "new"


def test_a_file_that_others_can_read_is_refused(scene: RegisteringScene) -> None:
    scene.http.replies = [registered()]
    now(scene.registrar.registration(scene.wish()))
    (file,) = scene.directory.glob("*.json")
    file.chmod(0o644)
    with pytest.raises(UnavailableError, match="chmod 600"):
        scene.registrar.stored(ISSUER)


def test_processes_register_one_after_the_other(scene: RegisteringScene) -> None:
    scene.http.replies = [registered(), registered(200)]
    now(scene.registrar.registration(scene.wish()))
    (file,) = scene.directory.glob("*.lock")
    with file.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        changed = scene.registrar.registration(scene.wish(client_name="New"))
        waiting = Deferred.fromCoroutine(changed)
        scene.reactor.advance(1)
        assert methods(scene) == ["POST"]
    scene.reactor.advance(1)
    assert waiting.called
    assert methods(scene) == ["POST", "PUT"]
