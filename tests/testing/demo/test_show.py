import pytest

from sso_proxy.testing.demo import show
from sso_proxy.testing.demo.call import Answer
from sso_proxy.testing.demo.checks import CHECKS, Result
from sso_proxy.testing.demo.people import PEOPLE
from sso_proxy.testing.demo.scene import Ports, Scene, prepare
from sso_proxy.testing.tokens import TokenSigner

PLAIN = show.Paint(on=False)
GOOD = Result(
    check=CHECKS[1],
    answer=Answer(status=401, headers={"www-authenticate": "Bearer x"}, body=b""),
    seen="WWW-Authenticate: Bearer x",
)
BAD = Result(
    check=CHECKS[0],
    answer=Answer(status=503, headers={"retry-after": "5"}, body=b"why\nnot"),
    seen="",
)


@pytest.fixture(name="scene", scope="module")
def make_scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    ports = Ports(
        proxy=8443, issuer=8444, api=8445, web=8446, provider=8447, application=8448
    )
    return prepare(tmp_path_factory.mktemp("with space"), ports)


def test_opening_names_every_address(scene: Scene) -> None:
    text = show.opening(scene, PLAIN)
    for url in ("https://127.0.0.1:8443", "https://127.0.0.1:8444", ":8445"):
        assert url in text
    text = show.web_opening(scene, PLAIN)
    for url in ("https://127.0.0.1:8446", "https://127.0.0.1:8447", ":8448"):
        assert url in text


def test_what_is_stolen_is_said_with_its_addresses(scene: Scene) -> None:
    text = show.thief_opening(scene, PLAIN)
    assert "https://127.0.0.1:8443/machine/ binds" in text
    assert "https://127.0.0.1:8446/ binds it to nothing" in text


def test_the_browser_that_has_a_key_is_named_or_that_there_is_none(
    scene: Scene,
) -> None:
    text = show.device_opening(scene, "/usr/bin/chromium", PLAIN)
    assert "https://127.0.0.1:8446/device/ in /usr/bin/chromium" in text
    assert "no Chromium here" in show.device_opening(scene, "", PLAIN)


def test_people_are_told_where_to_look_and_who_to_be(scene: Scene) -> None:
    text = show.people_lines(scene, PLAIN)
    assert "\n  https://127.0.0.1:8446/\n" in text
    assert "\n  https://127.0.0.1:8446/single-page/\n" in text
    assert str(scene.directory / "ca.crt") in text
    assert all(f"{person.name} " in text for person in PEOPLE.values())


def test_token_is_shown_by_its_claims_and_never_whole() -> None:
    claims = {
        "iss": "i",
        "sub": "s",
        "aud": "a",
        "scope": "c",
        "cnf": {"x5t#S256": "thumb"},
    }
    token = TokenSigner.create().sign(claims)
    text = show.token_lines(token, PLAIN)
    assert "x5t#S256 = thumb" in text
    assert token.rpartition(".")[2] not in text


def test_good_result_shows_status_and_what_was_seen() -> None:
    text = show.result_lines(2, GOOD, PLAIN)
    assert "✓" in text
    assert "401 refused" in text
    assert "WWW-Authenticate: Bearer x" in text


def test_bad_result_shows_what_came_instead() -> None:
    text = show.result_lines(1, BAD, PLAIN)
    assert "✗" in text
    assert "expected 200" in text
    assert "retry-after: 5" in text
    assert "not" in text.splitlines()[-1]


def test_curl_lines_quote_names_that_a_shell_would_split(scene: Scene) -> None:
    text = show.repeat_lines(scene, CHECKS, PLAIN)
    lines = [line for line in text.splitlines() if "curl" in line]
    assert len(lines) == len(CHECKS) + 1
    assert f"--cacert '{scene.directory}/ca.crt'" in lines[0]
    assert "-H 'X-Remote-User: admin'" in lines[-1]


def test_closing_counts(scene: Scene) -> None:
    assert "1 of 2 checks" in show.closing(scene, [GOOD, BAD], PLAIN)


def test_colours_are_used_only_where_they_can_be_shown() -> None:
    assert show.Paint(on=True)("32", "x") == "\x1b[32mx\x1b[0m"
    assert PLAIN("32", "x") == "x"


def test_claims_are_read_from_a_token() -> None:
    assert show.read_claims(TokenSigner.create().sign({"a": 1})) == {"a": 1}
