"""docs/howto/users.md and etc/mapped-users.toml: what they say is what comes of it."""

import shutil
from pathlib import Path

import attrs
import pytest

from sso_proxy.callers import name_user
from sso_proxy.checking import build_parts
from sso_proxy.config.load import load_config
from sso_proxy.mappers.file import MOST_OCTETS, FileMapperConfig
from sso_proxy.model import Response
from sso_proxy.routing import Route
from sso_proxy.specs.user_name import MAX_LENGTH
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_identity
from sso_proxy.testing.pki import Pki
from tests.support.caching import now

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "users.md").read_text("utf-8")
EXAMPLE = (ROOT / "etc" / "mapped-users.toml").read_text("utf-8")
STAFF, PARTNER = "https://login.example.com", "https://partner.example.net"


def routes(directory: Path) -> tuple[Route, Route]:
    """Build the example: the partners' route, and the staff's."""
    shutil.copy(ROOT / "etc" / "users.map", directory)
    (directory / "tls").mkdir()
    issued = Pki.create().issue("app", dns=["app.example.com"], server=True)
    issued.write(directory / "tls", "app")
    file = directory / "sso-proxy.toml"
    file.write_text(f"[server]\nstate_dir = 'state'\n{EXAMPLE}", "utf-8")
    found = build_parts(load_config(file), SettableClock()).routes
    host = found.of_host("app.example.com")
    assert host is not None
    partners, staff = host.find("/partners/"), host.find("/")
    assert partners is not None
    assert staff is not None
    return partners, staff


def name(route: Route, issuer: str, subject: str, **claims: object) -> str:
    """Give the user's name, or the reason why there is none."""
    identity = make_identity(subject, issuer=issuer, claims=claims)
    found = now(name_user(route, identity))
    return found.reason if isinstance(found, Response) else found


def test_the_example_names_people_as_it_says(tmp_path: Path) -> None:
    """etc/mapped-users.toml"""
    partners, staff = routes(tmp_path)
    email = "carol@example.com"
    assert name(staff, STAFF, "8a1f03", email=email) == "alice"
    assert name(staff, STAFF, "new", email=email) == "carol"
    assert name(staff, STAFF, "c0ffee", email=email) == "user-refused"
    assert name(staff, STAFF, "new", email=email + ".evil.example") == "user-unmapped"
    assert name(staff, STAFF, "new") == "user-unmapped"
    assert name(partners, PARTNER, "Bob Ray") == "bob ray"
    assert name(partners, PARTNER, "8a1f03", email=email) == "user-unmapped"


def test_the_page_shows_what_the_example_has() -> None:
    block = PAGE.partition("```toml\n")[2].partition("```")[0]
    lines = {line.partition("  #")[0].rstrip() for line in EXAMPLE.splitlines()}
    assert set(block.splitlines()) <= lines
    assert (ROOT / "etc" / "users.map").read_text("utf-8") in PAGE


@pytest.mark.parametrize(
    ("option", "default"), [("delimiter", " "), ("source", "subject")]
)
def test_defaults_are_as_it_says(option: str, default: str) -> None:
    assert getattr(attrs.fields(FileMapperConfig), option).default == default
    assert f"| `{option}` | {'a space' if default == ' ' else f'`{default}`'} |" in PAGE


def test_limits_are_as_it_says() -> None:
    assert f"1 to {MAX_LENGTH} printable" in PAGE
    assert f"{MOST_OCTETS >> 20} MiB" in PAGE
