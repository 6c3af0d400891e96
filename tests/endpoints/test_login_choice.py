"""A request for ``login`` is read in one way, and strangers' say little."""

import pytest
from zope.interface import implementer

from sso_proxy.endpoints.desks import Desk
from sso_proxy.endpoints.login_choice import (
    Choice,
    ChoiceError,
    choice_url,
    read_choice,
    write_choice,
)
from sso_proxy.interfaces import IOpenIdLogin
from sso_proxy.login import Wanted
from sso_proxy.model import Request
from sso_proxy.testing.fakes import make_request
from tests.support.fake_login import FakeLogin
from tests.support.sessions import SessionTools, server_sessions

STORE = server_sessions(SessionTools())
DESKS = {
    name: Desk(
        name=name, login=FakeLogin(name=name, issuer=f"https://{name}"), sessions=STORE
    )
    for name in ("corp", "partner")
}


def read(text: str | None, *, own: bool = False) -> Choice:
    return read_choice(text, make_request().head, DESKS, "/.sso/", own=own)


def refused(text: str) -> str:
    with pytest.raises(ChoiceError) as caught:
        read(text)
    return caught.value.reason


def test_nothing_asks_for_any_login() -> None:
    choice = read(None)
    assert choice.names == ["corp", "partner"]
    assert choice.wanted == Wanted(target="/")
    assert not choice.wanted.own


def test_of_our_own_endpoints_the_page_for_people_alone_is_a_target() -> None:
    assert read("with=corp&to=/.sso/").wanted.target == "/.sso/"
    for target in (
        "/.sso/?x",
        "/.sso/logout",
        "/.sso/%2e%2flogout",
        "/.sso/x/../login",
    ):
        assert refused(f"with=corp&to={target}") == "login-target"


def test_what_our_pages_write_is_read() -> None:
    wanted = Wanted(
        target="/a?b=c",
        acr_values=("x", "y"),
        max_age=0,
        restore="r",
        login_hint="alice",
        issuer="https://corp",
    )
    url = choice_url("/.sso/", "corp", wanted)
    choice = read(url.partition("?")[2], own=True)
    assert choice.names == ["corp"]
    assert choice.wanted == wanted
    assert choice.wanted.issuer == "https://corp"
    assert choice.wanted.own


def test_only_what_there_is_is_written() -> None:
    assert write_choice("corp", Wanted(target="/")) == (("with", "corp"), ("to", "/"))


def test_an_issuer_finds_its_login() -> None:
    """OpenID Connect Core section 4."""
    choice = read("iss=https://partner&target_link_uri=/a&login_hint=bob")
    assert choice.names == ["partner"]
    assert choice.wanted == Wanted(target="/a", login_hint="bob")
    assert choice.wanted.issuer == "https://partner"


def test_a_target_may_be_a_url_of_ours() -> None:
    origin = "https://app.example.com"
    choice = read(f"iss=https://corp&target_link_uri={origin}/a%3Fb=c")
    assert choice.wanted.target == "/a?b=c"


def test_nothing_else_of_a_stranger_counts() -> None:
    more = "with=corp&to=/x&acr=low&age=1&body=x&who=mallory@evil.example"
    choice = read(f"iss=https://partner&{more}&scopes=admin")
    assert choice.names == ["partner"]
    assert choice.wanted == Wanted(target="/")
    assert choice.wanted.account == ""


def test_what_is_typed_counts_only_in_a_form_of_ours() -> None:
    assert read("who=alice@example.com").wanted.account == ""
    typed = read("who=alice@example.com", own=True).wanted.account
    assert typed == "alice@example.com"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "https://app.example.com.evil.example/",
        "/.sso/login",
        "/" + "a" * 1600,
    ],
)
@pytest.mark.parametrize("name", ["to", "target_link_uri"])
def test_nobody_is_sent_elsewhere(name: str, target: str) -> None:
    assert refused(f"iss=https://corp&{name}={target}"[16 * (name == "to") :]) == (
        "login-target"
    )


@pytest.mark.parametrize(
    "text",
    [
        "with=other",
        "with=corp&with=corp",
        "iss=https://corp&iss=https://partner",
        "age=-1",
        "age=1234567890",
        "acr=" + "a+" * 20,
        "acr=" + "a" * 2000,
        "login_hint=" + "a" * 400,
        "to=/&target_link_uri=/",
    ],
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    assert refused(text) == "login-target"


@pytest.mark.parametrize("issuer", ["https://evil.example", "https://corp/", "corp"])
def test_no_login_begins_at_an_unknown_issuer(issuer: str) -> None:
    assert refused(f"iss={issuer}") == "login-issuer"


@implementer(IOpenIdLogin)
class FakeOpenId(FakeLogin):
    """A login with an OpenID."""

    async def tell(self, request: Request, wanted: Wanted) -> None:
        """Tell nothing."""

    def return_to(self, origin: str, endpoints: str) -> str:
        """Give the place of the endpoints."""
        return origin + endpoints


OPENID = {**DESKS, "openid": Desk(name="openid", login=FakeOpenId(), sessions=STORE)}


def read_openid(text: str, *, own: bool = True) -> Choice:
    return read_choice(text, make_request().head, OPENID, "/.sso/", own=own)


def test_a_form_of_the_application_may_have_an_openid_and_a_target() -> None:
    text = "openid_identifier=alice.example.com&to=/welcome"
    choice = read_openid(text)
    assert choice.names == ["openid"]
    assert choice.wanted.account == "alice.example.com"
    assert choice.wanted.target == "/welcome"
    assert read_openid(f"{text}&with=corp").names == ["corp"]


def test_a_form_for_mod_auth_oid_is_understood() -> None:
    choice = read_openid("openid_identifier=a.example&aoid_redirect_to=/welcome")
    assert choice.wanted.target == "/welcome"


def test_an_openid_that_a_page_of_others_sends_was_not_typed() -> None:
    """Login CSRF: who is sent there would go on as the attacker."""
    assert read_openid("openid_identifier=evil.example", own=False).wanted.account == ""


@pytest.mark.parametrize(
    "text",
    [
        "openid_identifier=a.example&who=b.example",
        "openid_identifier=a.example&openid_identifier=b.example",
        "openid_identifier=a.example&to=/&aoid_redirect_to=/",
        "openid_identifier=a.example&aoid_redirect_to=//evil.example/",
        "openid_identifier=a.example&aoid_redirect_to=/.sso/logout",
    ],
)
def test_an_openid_with_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ChoiceError):
        read_openid(text)


def test_whether_somebody_said_where_to_is_known_and_carried() -> None:
    nowhere = read("with=corp").wanted
    assert nowhere.anywhere
    assert write_choice("corp", nowhere) == (("with", "corp"),)
    assert not read("with=corp&to=/").wanted.anywhere
