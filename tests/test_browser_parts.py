"""The page about one's own sessions, as a configuration file makes it."""

from pathlib import Path
from typing import Self

from tests.support.device_browser import DeviceBrowser
from tests.support.device_world import BOUND, CONFIG, DeviceWorld, reasons

ROOT = "/.sso/"
MAIN = 'session = "main"'
OTHER = """
[session.other]
type = "server"
cache = "shared"

[[route]]
host = "other.example.com"
path = "/"
authenticate = ["second"]
session = "other"
backend = "http://127.0.0.1:9000"
"""
SECOND = """
[authenticator.second]
type = "tests.support.device_world:Login"

[authenticator.corp]"""
OPENID = """
[mapper.people]
type = "static"
users = {}

[authenticator.id]
type = "openid2"
mappers = ["people"]
providers = ["https://openid.example.net/login"]

[authenticator.corp]"""
NAMED = """
[mapper.upper]
type = "static"
users = { alice = "ALICE" }

[authenticator.corp]"""


class Client:
    """Asks nobody."""

    def guarded(self, *_: object, **__: object) -> Self:
        """Give one that asks fewer."""
        return self


def log_in_elsewhere(world: DeviceWorld, user: str) -> DeviceBrowser:
    """Log in on the other host, in the other way."""
    browser = DeviceBrowser(world.serve, world.clock.time, "other.example.com")
    query = browser.page("/").location.partition("?")[2]
    browser.page(f"/.sso/callback/second?{query}&user={user}")
    assert world.is_in(browser)
    return browser


def test_applications_and_the_page_call_somebody_the_same(tmp_path: Path) -> None:
    config = CONFIG.replace("[authenticator.corp]", NAMED, 1)
    world = DeviceWorld(tmp_path, config=config, route='map_user = ["upper"]')
    alice = world.log_in()
    assert b"X-Remote-User: ALICE" in world.instance.seen()[-1]
    assert "</span> ALICE</h1>" in alice.page(ROOT).text


def test_a_page_tells_that_its_session_is_bound_to_the_device(tmp_path: Path) -> None:
    world = DeviceWorld(tmp_path)
    alice = world.log_in()
    world.log_in(world.browser(keeps=False))
    page = alice.page(ROOT).text
    assert "this device" in page
    assert page.count("· bound") == 1
    assert page.count("· not bound") == 1


def test_a_thief_without_the_device_sees_and_ends_nothing(tmp_path: Path) -> None:
    world = DeviceWorld(tmp_path)
    alice = world.log_in()
    other = world.log_in()
    (line,) = world.instance.operate(
        do="list", issuer="https://login.example", subject="alice"
    )["sessions"][1:]
    thief = alice.copy_cookies()
    del thief.cookies[BOUND]
    world.pass_(400)
    reasons(world)

    seen = thief.page(ROOT)
    assert (seen.status, reasons(world)[-1]) == (403, "device-missing")
    assert "alice" not in seen.text
    for body in (b"do=everywhere", b"do=end&session=" + line["id"].encode()):
        assert thief.submit(ROOT, body).location == ROOT
    assert world.is_in(alice)
    assert world.is_in(other)


def test_a_link_of_another_site_leads_to_the_page_after_a_proof(tmp_path: Path) -> None:
    world = DeviceWorld(tmp_path)
    alice = world.log_in()
    del alice.cookies[BOUND]
    world.pass_(400)
    cross = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-User": "?1"}
    (session,) = alice.sessions.values()
    alice.sessions.clear()  # such a request does not wait for a proof
    seen = alice.visit(ROOT, **cross)
    assert (seen.status, seen.values("refresh")) == (403, ["0"])
    assert 'href="/.sso/"' in seen.text
    alice.sessions[session.id] = session
    assert alice.visit(ROOT, **{"Sec-Fetch-Site": "same-origin"}).status == 200


def test_a_logout_everywhere_reaches_all_hosts(tmp_path: Path) -> None:
    config = CONFIG.replace("[authenticator.corp]", SECOND, 1) + OTHER
    world = DeviceWorld(tmp_path, config=config, route=MAIN)
    away, bob = log_in_elsewhere(world, "alice"), log_in_elsewhere(world, "bob")
    log_in_elsewhere(world, "alice")
    alice = world.log_in()
    assert away.page(ROOT).text.count("<li") == 2

    assert alice.submit(ROOT, b"do=everywhere").status == 200
    assert not world.is_in(alice)
    world.restart()
    assert not world.is_in(away)
    assert world.is_in(bob)


def test_where_a_part_of_the_sessions_cannot_be_ended_the_page_says_so(
    tmp_path: Path,
) -> None:
    some = OTHER.replace("second", "corp").replace('"server"', '"cookie"')
    config = CONFIG + some.replace('cache = "shared"', "")
    world = DeviceWorld(tmp_path, config=config, route=MAIN)
    alice = world.log_in()
    assert "keeps in browsers alone" in alice.page(ROOT).text
    assert alice.submit(ROOT, b"do=everywhere").status == 200
    assert not world.is_in(alice)


def test_where_all_sessions_can_be_ended_the_page_says_no_such_thing(
    tmp_path: Path,
) -> None:
    page = DeviceWorld(tmp_path).log_in().page(ROOT).text
    assert 'value="everywhere"' in page
    assert "keeps in browsers alone" not in page


def test_programs_find_where_answers_about_openids_may_go(tmp_path: Path) -> None:
    config = CONFIG.replace("[authenticator.corp]", OPENID, 1)
    config = config.replace('authenticate = ["corp"]', 'authenticate = ["corp", "id"]')

    class World(DeviceWorld):
        http_client = Client()

    world = World(tmp_path, config=config)
    alice = world.browser()
    program = {"Accept": "text/html; q=0.3, application/xrds+xml"}
    seen = alice.send("GET", ROOT, program)
    assert seen.values("content-type") == ["application/xrds+xml"]
    assert "https://app.example.com/.sso/callback/id" in seen.text
    assert reasons(world)[-1] == "openid-return-to"
    alice.page(ROOT)
    assert reasons(world)[-1] == "login-choice"
