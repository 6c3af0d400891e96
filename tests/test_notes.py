"""Operators are told what ends soon, and what is less safe than it could be."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from zope.interface import implementer

from sso_proxy.checking import check
from sso_proxy.config.load import load_config
from sso_proxy.config.model import ListenerConfig, NameConfig
from sso_proxy.interfaces import INoted
from sso_proxy.notes import notes_of
from sso_proxy.testing.pki import Pki
from tests.support.explain_scene import CONFIG, write_config

_LISTENER = """
[[listener]]
address = "127.0.0.1"
port = 8443
certificate = "ours.crt"
key = "ours.key"
"""
_LOGIN = """
[authenticator.people]
type = "oidc"
issuer = "https://login.example.com"
client_id = "app"
client_secret = "env:CLIENT_SECRET"
pkce = "off"

[[route]]
host = "people.example.com"
authenticate = ["people"]
backend = "http://127.0.0.1:9"
"""
_OPENID = """
[session.main]
type = "cookie"

[mapper.people]
type = "static"
users = { "https://alice.example/" = "alice" }

[authenticator.openid]
type = "openid2"
mappers = ["people"]

[[route]]
host = "people.example.com"
authenticate = ["openid"]
MAPPED
backend = "http://127.0.0.1:9"
"""


class _Ending:
    """A certificate."""

    def health(self, now: float) -> tuple[str, ...]:
        return (f"ends {now:.0f}",)


@implementer(INoted)
class _Noted:
    """A part with notes."""

    notes = ("first", "second")


def test_all_that_is_noted_is_told() -> None:
    found = notes_of([], [None, _Ending()], [object(), _Noted()], 5.0)
    assert list(found) == ["ends 5", "first", "second"]


def test_a_check_tells_of_logins_without_pkce(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENT_SECRET", "a client secret")
    (note,) = check(load_config(write_config(tmp_path, CONFIG + _LOGIN))).notes
    assert note.startswith("authenticator.people: pkce = 'off'")


def test_a_check_tells_of_backends_that_know_users_by_their_openids(
    tmp_path: Path,
) -> None:
    def notes(mapped: str) -> tuple[str, ...]:
        text = CONFIG + _OPENID.replace("MAPPED", mapped)
        return check(load_config(write_config(tmp_path, text))).notes

    (note,) = notes("")
    assert note.startswith("route[2].map_user: ")
    assert "authenticator.openid by a URL" in note
    assert notes('map_user = ["people"]') == ()


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a directory that everybody can enter, unlike those of pytest."""
    with TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def test_operators_are_told_of_private_keys_that_everybody_can_read(
    place: Path,
) -> None:
    for name, mode in (("a.key", 0o644), ("b.key", 0o640), ("c.key", 0o602)):
        (place / name).write_text("a key")
        (place / name).chmod(mode)
    names = tuple(
        NameConfig(host=(f"{name}.example.com",), key=str(place / f"{name}.key"))
        for name in ("b", "c", "none")
    )
    main = ListenerConfig(address="::", key=str(place / "a.key"), name=names)
    plain = ListenerConfig(address="::", tls=False, allow_plaintext=True)
    told = "everybody on this machine can get at it; chmod o= it"
    assert list(notes_of([plain, main], [], [], 0.0)) == [
        f"listener[1].key: {str(place / 'a.key')!r}: {told}",
        f"listener[1].name[1].key: {str(place / 'c.key')!r}: {told}",
    ]
    for file in place.iterdir():
        file.chmod(0o600)
    assert list(notes_of([plain, main], [], [], 0.0)) == []


def test_a_check_tells_of_private_keys_that_everybody_can_read(place: Path) -> None:
    issued = Pki.create("CA").issue("app", dns=["app.example.com"], server=True)
    issued.write(place, "ours")
    (place / "ours.key").chmod(0o644)
    (note,) = check(load_config(write_config(place, _LISTENER + CONFIG))).notes
    assert note.startswith("listener[0].key: ")
    assert note.endswith("chmod o= it")


def test_a_check_tells_of_devices_that_are_proved_all_the_time(tmp_path: Path) -> None:
    text = """
[session.main]
type = "server"
binding = { device = "prefer" }
device = { lifetime = LIFETIME }

[[route]]
host = "shop.example.com"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9"

[route.binding.cookies]
names = ["*"]
device = "prefer"
device_options = { lifetime = LIFETIME }
"""
    for lifetime, places in (
        (121, []),
        (120, ["session.main.device", "route[2].binding.cookies.device_options"]),
    ):
        given = text.replace("LIFETIME", str(lifetime))
        notes = check(load_config(write_config(tmp_path, CONFIG + given))).notes
        expected = [f"{place}.lifetime" for place in places]
        assert [note.partition(":")[0] for note in notes] == expected


def test_a_check_tells_of_keys_that_are_forgotten_before_what_is_bound(
    tmp_path: Path,
) -> None:
    text = """
[cache.keys]
type = "CACHE"

[session.main]
type = "KIND"
cache = "keys"
binding = { device = "prefer" }

[[route]]
host = "shop.example.com"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9"

[route.binding.cookies]
names = ["*"]
device = "prefer"
"""
    cookies = "route[2].binding.cookies.device_options.cache"
    for cache, kind, places in (
        ("memory", "cookie", ["session.main.cache", cookies]),
        ("memory", "server", [cookies]),  # these sessions are forgotten, too
        ("local", "cookie", []),
    ):
        given = text.replace("CACHE", cache).replace("KIND", kind)
        notes = check(load_config(write_config(tmp_path, CONFIG + given))).notes
        assert [note.partition(":")[0] for note in notes] == places
