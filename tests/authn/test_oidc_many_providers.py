"""Providers are made when they are asked for, if they are allowed, and few are kept."""

import json
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from sso_proxy.authn.oidc_many_config import OidcDiscoveryConfig
from sso_proxy.authn.oidc_many_providers import NotHereError, Providers
from sso_proxy.errors import ConfigError, UnavailableError
from sso_proxy.net.http_client import HttpReply
from tests.support.caching import now
from tests.support.registering import ISSUER, FakeHttp, registered
from tests.support.sessions import SessionTools

DEFAULTS: Final = 'client_id = "us"\nauth = "none"'


class Scene:
    """Providers that a test makes."""

    def __init__(
        self,
        directory: Path,
        defaults: str = DEFAULTS,
        **options: Any,  # noqa: ANN401
    ) -> None:
        self.http = FakeHttp()
        self.tools = SessionTools(
            name="people", http_client=self.http, state_dir=directory / "state"
        )
        self.files = directory / "providers"
        self.files.mkdir()
        (self.files / "defaults.toml").write_text(defaults)
        options.setdefault("origins", ("https://app.example.com",))
        self.config = OidcDiscoveryConfig(providers=str(self.files), **options)

    def make(self) -> Providers:
        return Providers(self.config, self.tools)


def metadata(issuer: str = ISSUER) -> HttpReply:
    said = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "registration_endpoint": f"{issuer}/register",
    }
    return HttpReply(status=200, body=json.dumps(said).encode())


@pytest.mark.parametrize(
    ("issuer", "allowed"),
    [
        ("https://a.example", True),
        ("https://a.example/", False),
        ("https://x.found.example", True),
        ("https://x.found.example.evil.example", False),
        ("https://x.found.example/#", False),
        ("http://127.0.0.1", False),
        ("", False),
        ("https://file.example", True),
    ],
)
def test_issuers_are_allowed_before_anything_is_asked(
    tmp_path: Path,
    issuer: str,
    allowed: bool,  # noqa: FBT001
) -> None:
    scene = Scene(
        tmp_path,
        allowed_issuers=("https://a.example",),
        allowed_patterns=(r"https://[a-z]+\.found\.example", r"http://127\.0\.0\.1"),
    )
    (scene.files / "a.toml").write_text('issuer = "https://file.example"')
    providers = scene.make()
    assert providers.allows(issuer) is allowed
    if not allowed:
        with pytest.raises(NotHereError):
            now(providers.find(issuer, may_register=True))
    assert scene.http.asked == []


def test_a_provider_is_made_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, allowed_issuers=("https://a.example",))
    providers = scene.make()
    assert providers.ready("https://a.example") is None
    made = now(providers.find("https://a.example"))
    assert now(providers.find("https://a.example")) is made
    assert providers.ready("https://a.example") is made


def test_only_some_are_kept_of_those_that_are_found(tmp_path: Path) -> None:
    scene = Scene(tmp_path, allowed_patterns=("https://[a-z]+",), most=2)
    (scene.files / "f.toml").write_text('issuer = "https://file.example"')
    providers = scene.make()
    for name in "abc":
        now(providers.find(f"https://{name}"))
    kept = [name for name in "abc" if providers.ready(f"https://{name}") is not None]
    assert kept == ["b", "c"]
    assert providers.ready("https://file.example") is not None


def test_nobody_has_others_looked_for_without_end(tmp_path: Path) -> None:
    scene = Scene(tmp_path, allowed_patterns=("https://[a-z]+",), lookups_per_address=1)
    providers = scene.make()
    now(providers.find("https://a", address="192.0.2.1"))
    now(providers.find("https://a", address="192.0.2.1"))
    with pytest.raises(NotHereError) as caught:
        now(providers.find("https://b", address="192.0.2.1"))
    assert caught.value.status == 429
    now(providers.find("https://b", address="192.0.2.2"))


def test_all_together_do_not_either(tmp_path: Path) -> None:
    providers = Scene(tmp_path, lookups_per_minute=1).make()
    providers.spend("192.0.2.1")
    with pytest.raises(NotHereError):
        providers.spend("192.0.2.2")


def test_we_register_when_we_may(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "register = true", allowed_issuers=(ISSUER,))
    providers = scene.make()
    with pytest.raises(NotHereError, match="not registered"):
        now(providers.find(ISSUER))
    assert scene.http.asked == []
    scene.http.replies = [metadata(), registered()]
    made = now(providers.find(ISSUER, may_register=True))
    assert [asked[0] for asked in scene.http.asked] == ["GET", "POST"]
    assert now(providers.find(ISSUER)) is made
    assert now(scene.make().find(ISSUER)).takes_issuer(ISSUER)
    assert len(scene.http.asked) == 2


def test_a_new_registration_makes_another_client_of_us(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "register = true", allowed_issuers=(ISSUER,))
    providers = scene.make()
    scene.http.replies = [metadata(), registered()]
    made = now(providers.find(ISSUER, may_register=True))
    (file,) = (tmp_path / "state/clients").glob("*.json")
    file.write_text(file.read_text().replace("secret-1", "secret-2"))
    assert now(providers.find(ISSUER)) is not made


def test_a_provider_where_nobody_registers_is_told_of(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "register = true", allowed_issuers=(ISSUER,))
    said = metadata()
    body = said.body.replace(b"registration_endpoint", b"other")
    scene.http.replies = [HttpReply(status=200, body=body)]
    with pytest.raises(UnavailableError, match="no registration_endpoint"):
        now(scene.make().find(ISSUER, may_register=True))


def test_those_in_files_are_registered_with_at_the_start(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "register = true")
    (scene.files / "a.toml").write_text(f'issuer = "{ISSUER}"')
    providers = scene.make()
    scene.http.replies = [metadata(), registered()]
    now(providers.prepare())
    now(providers.prepare())
    assert [asked[0] for asked in scene.http.asked] == ["GET", "POST"]


def test_defaults_may_not_be_enough(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "", allowed_issuers=(ISSUER,))
    with pytest.raises(NotHereError, match=r"defaults\.toml"):
        now(scene.make().find(ISSUER))


def test_files_that_cannot_be_used_stop_the_start(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    (scene.files / "a.toml").write_text('issuer = "a"')
    with pytest.raises(ConfigError, match="issuer"):
        scene.make()


@pytest.mark.parametrize(
    ("defaults", "name"),
    [
        ('client_id = "us"\nclient_secret = "env:S"', "client_secret"),
        ('register = true\ninitial_access_token = "env:S"', "initial_access_token"),
    ],
)
def test_no_provider_that_is_found_is_told_the_secret_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defaults: str, name: str
) -> None:
    monkeypatch.setenv("S", "s" * 40)
    scene = Scene(tmp_path, defaults, allowed_patterns=("https://[a-z]+",))
    with pytest.raises(ConfigError, match=rf"defaults\.toml\.{name}"):
        scene.make()
    scene.config = attrs.evolve(scene.config, allowed_patterns=())
    assert not scene.make().allows("https://a")
