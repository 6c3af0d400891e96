"""Many providers behind one authenticator, and each answer to the one it began at."""

from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from zope.interface.verify import verifyObject

from sso_proxy.authn.oidc_callback import FRAGMENT_FIELD
from sso_proxy.authn.oidc_many import PROVIDER, OidcDiscovery
from sso_proxy.authn.oidc_many_config import OidcDiscoveryConfig
from sso_proxy.interfaces import IAuthenticator, ILogin, ILogout
from sso_proxy.login import InFragment, Question, Wanted
from sso_proxy.model import Authenticated, Identity, NotPresented, Request, Response
from sso_proxy.session import Session
from sso_proxy.testing.fakes import make_request
from tests.support.caching import now
from tests.support.oidc_scene import FakeBody
from tests.support.registering import FakeHttp
from tests.support.sessions import Browser, SessionTools, server_sessions

_FILE: Final = """
issuer = "https://{name}.example"
title = "{name}"
client_id = "us"
auth = "none"
authorization_endpoint = "https://{name}.example/authorize"
token_endpoint = "https://{name}.example/token"
jwks_uri = "https://{name}.example/keys"
"""


class Scene:
    """A browser, and providers that are in files."""

    def __init__(self, directory: Path, *names: str, **options: Any) -> None:  # noqa: ANN401
        for name in names:
            (directory / f"{name}.toml").write_text(_FILE.format(name=name))
        self.http = FakeHttp()
        self.tools = SessionTools(name="people", http_client=self.http)
        config = OidcDiscoveryConfig(providers=str(directory), **options)
        self.login = OidcDiscovery.from_config(config, self.tools)
        self.store: Any = server_sessions(self.tools)
        self.browser = Browser()

    def request(self, **parts: Any) -> Request:  # noqa: ANN401
        pairs = self.browser.cookies.items()
        cookies = "; ".join(f"{name}={value}" for name, value in pairs)
        headers = {"cookie": cookies} if cookies else {}
        headers.update(parts.pop("headers", {}))
        request = make_request(
            parts.pop("method", "GET"),
            headers=headers,
            time=self.tools.clock.time(),
            **parts,
        )
        return attrs.evolve(request, sessions=self.store)

    def begin(self, **wanted: Any) -> Response | Question:  # noqa: ANN401
        wanted.setdefault("target", "/")
        found = now(self.login.begin(self.request(), Wanted(**wanted)))
        if isinstance(found, Response):
            self.browser.take(found.headers)
        return found

    def finish(self, query: str) -> Response:
        found = now(self.login.finish(self.request(query=query)))
        assert isinstance(found, Response), found
        return found

    def session(self, provider: str | None) -> Session:
        identity = Identity(
            issuer="https://a.example", subject="alice", authenticator="people"
        )
        data = {} if provider is None else {PROVIDER: provider}
        return Session(
            id="s1", identity=identity, data=data, created=0.0, used=0.0, expires=1e12
        )


def location(response: Response | Question) -> str:
    assert isinstance(response, Response), response
    return dict(response.headers)["location"]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, "a", "b")


def test_it_is_what_it_says(scene: Scene) -> None:
    for interface in (IAuthenticator, ILogin, ILogout):
        assert verifyObject(interface, scene.login)


def test_somebody_is_asked_where(scene: Scene) -> None:
    choices = (("a", "https://a.example"), ("b", "https://b.example"))
    assert scene.begin() == Question(choices=choices)


def test_nobody_is_asked_where_there_is_one(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "a")
    assert location(scene.begin()).startswith("https://a.example/authorize?")


def test_an_issuer_that_is_named_is_gone_to(scene: Scene) -> None:
    there = location(scene.begin(issuer="https://b.example", login_hint="bob"))
    asked = parse_qs(urlsplit(there).query)
    assert there.startswith("https://b.example/authorize?")
    assert asked["login_hint"] == ["bob"]
    assert asked["redirect_uri"] == ["https://app.example.com/.sso/callback/people"]


def test_no_other_is(scene: Scene) -> None:
    found = scene.begin(issuer="https://evil.example")
    assert isinstance(found, Response)
    assert (found.status, found.reason) == (403, "login-issuer")
    assert scene.http.asked == []


def test_what_is_typed_may_be_an_issuer_itself(scene: Scene) -> None:
    there = location(scene.begin(account=" https://b.example ", own=True))
    assert there.startswith("https://b.example/")


@pytest.mark.parametrize("typed", ["joe@example.com", "x", "javascript:a"])
def test_what_leads_nowhere_is_asked_again(scene: Scene, typed: str) -> None:
    found = scene.begin(account=typed, own=True)
    assert isinstance(found, Question)
    assert found.problem in {"unknown", "unusable"}


def test_an_answer_goes_to_the_provider_it_began_at(scene: Scene) -> None:
    """It is refused there: its ``iss`` is the other's (mix-up)."""
    there = location(scene.begin(issuer="https://a.example"))
    state = parse_qs(urlsplit(there).query)["state"][0]
    found = scene.finish(f"code=c&state={state}&iss=https://b.example")
    assert found.status == 400
    assert scene.http.asked == []


@pytest.mark.parametrize(
    "query", ["", "code=c", "code=c&state=unknown", "response=a.b.c"]
)
def test_an_answer_to_nothing_is_refused(scene: Scene, query: str) -> None:
    assert scene.finish(query).status == 400


def test_an_answer_that_has_served_leads_where_its_login_did_once(
    scene: Scene,
) -> None:
    there = location(scene.begin(issuer="https://a.example", target="/page"))
    state = parse_qs(urlsplit(there).query)["state"][0]
    scene.browser.take(scene.store.logins.finish(scene.request(), state, "/page"))
    found = scene.finish(f"code=c&state={state}")
    assert (found.reason, location(found)) == ("login-again", "/page")
    scene.browser.take(found.headers)
    assert scene.finish(f"code=c&state={state}").status == 400


def test_an_answer_may_be_where_only_a_page_can_read_it(tmp_path: Path) -> None:
    (tmp_path / "defaults.toml").write_text('response_type = "code id_token"')
    scene = Scene(tmp_path, "a")
    found = now(scene.login.finish(scene.request()))
    assert found == InFragment(field=FRAGMENT_FIELD)


def test_operators_are_told_where_codes_are_not_proven(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret of ours")
    secret.chmod(0o600)
    for name in ("a", "b"):
        text = _FILE.format(name=name).replace('"none"', '"client_secret_basic"')
        more = 'client_secret_file = "../secret"\n'
        directory = tmp_path / "providers"
        directory.mkdir(exist_ok=True)
        (directory / f"{name}.toml").write_text(
            text + more + ('pkce = "off"' if name == "b" else "")
        )
    (note,) = Scene(directory).login.notes
    assert note.startswith("authenticator.people: https://b.example: pkce = 'off'")


def test_a_session_is_its_providers(scene: Scene) -> None:
    request = scene.request()
    assert isinstance(now(scene.login.authenticate(request)), NotPresented)
    mine = attrs.evolve(request, session=scene.session("https://a.example"))
    assert isinstance(now(scene.login.authenticate(mine)), Authenticated)


@pytest.mark.parametrize("provider", ["https://gone.example", None])
def test_a_session_of_a_provider_that_is_gone_is_none(
    scene: Scene, provider: str | None
) -> None:
    request = attrs.evolve(scene.request(), session=scene.session(provider))
    assert isinstance(now(scene.login.authenticate(request)), NotPresented)


def test_a_logout_is_told_to_its_provider(scene: Scene) -> None:
    session = scene.session("https://a.example")
    ended = now(scene.login.end(scene.request(), session, "https://app.example.com/"))
    assert ended.kept[PROVIDER] == "https://a.example"
    assert not scene.login.confirm(scene.request(query="state=x"), ended.kept)
    assert not scene.login.confirm(scene.request(), {})


def test_notices_of_strangers_are_refused(scene: Scene) -> None:
    request = scene.request(query="iss=https://evil.example&sid=1")
    found = now(scene.login.front_channel(request))
    assert isinstance(found, Response)
    assert found.status == 400
    for token in (b"", b"logout_token=a", b"logout_token=a.e30.b"):
        request = attrs.evolve(scene.request(method="POST"), body=FakeBody(token))
        found = now(scene.login.back_channel(request))
        assert isinstance(found, Response)
        assert found.status == 400


def test_issuers_are_known_without_asking(scene: Scene) -> None:
    assert scene.login.takes_issuer("https://a.example")
    assert not scene.login.takes_issuer("https://evil.example")
    assert scene.http.asked == []
