"""docs/howto/openid2.md and etc/openid2.toml: what they say is what comes of it."""

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest

from sso_proxy.authn.openid2_config import OpenId2Config
from sso_proxy.authn.openid2_finish import ISSUER, LOCAL_ID, PROVIDER
from sso_proxy.authn.openid2_log import Code
from sso_proxy.callers import name_user
from sso_proxy.checking import build_parts
from sso_proxy.config.load import load_config
from sso_proxy.config.model import RouteConfig, ServerConfig
from sso_proxy.mappers.file import FileMapper, FileMapperConfig
from sso_proxy.mappers.ldap import LdapMapperConfig
from sso_proxy.mappers.pattern import PatternMapper, PatternMapperConfig, PatternRule
from sso_proxy.mappers.static import StaticMapper, StaticMapperConfig
from sso_proxy.model import DECLINED, Response
from sso_proxy.routing import Route
from sso_proxy.sessions.options import CookieConfig
from sso_proxy.sessions.server import ServerSessionConfig
from sso_proxy.specs.openid2.assertion import WINDOW
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools, make_identity
from sso_proxy.testing.pki import Pki
from tests.support.caching import now
from tests.support.password_scene import NoThreads, htpasswd_line

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "sso_proxy"
PAGE = (ROOT / "docs" / "howto" / "openid2.md").read_text("utf-8")
EXAMPLE = ROOT / "etc" / "openid2.toml"
DIRECTIVES: dict[str, tuple[type, str] | str | None] = {
    "AOID_Realm": (CookieConfig, "path"),
    "AOID_LoginPath": (RouteConfig, "endpoints"),
    "AOID_LoginSuffix": None,
    "AOID_User": (StaticMapperConfig, "users"),
    "AOID_UserPattern": (PatternRule, "match"),
    "AOID_Timeout": (ServerSessionConfig, "inactivity"),
    "AOID_Passphrase": (ServerConfig, "state_dir"),
    "AOID_CookieName": (CookieConfig, "name"),
    "AOID_AuthorizationHeader": (OpenId2Config, "backend_password"),
    "AOID_StartPage": (OpenId2Config, "start_page"),
    "AOID_LogLevel": None,
    "SetHandler auth-oid-info": (OpenId2Config, "shows_identifier"),
    "AOID_File_DB": (FileMapperConfig, "file"),
    "AOID_DB_Delimiter": (FileMapperConfig, "delimiter"),
    "AOID_File_AdminPage": "sso-proxy user",
    "AOID_File_UserOnly": "sso-proxy user … --only USER",
    "AuthType OpenID": (RouteConfig, "authenticate"),
}
UNTOLD = {"within", "title", "cache", "lookups_per_minute"}
"""Options that the reference explains well enough."""


def rows() -> dict[str, str]:
    """Give the rows of all tables, by what stands first in them."""
    found = re.findall(r"^\| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
    return {name: text for first, text in found for name in re.split(", ", first)}


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_every_directive_has_its_counterpart(directive: str) -> None:
    text, counterpart = rows()[f"`{directive}`"], DIRECTIVES[directive]
    if counterpart is None:
        assert text.startswith("none")
        return
    if isinstance(counterpart, str):
        assert f"`{counterpart}`" in text  # tests/test_user_command.py runs it
        return
    config, option = counterpart
    fields: Any = config
    assert option in {field.name for field in attrs.fields(fields)}
    mapper = config.__name__.removesuffix("MapperConfig").lower()
    assert option in text or f"mapper `{mapper.removesuffix('rule')}" in text


def test_every_option_is_on_the_page() -> None:
    options = {field.name for field in attrs.fields(OpenId2Config)}
    assert {name for name in options if f"`{name}" not in PAGE} - UNTOLD == set()
    assert options >= UNTOLD


def test_every_code_has_its_line() -> None:
    assert [c for c in rows() if c.isdigit()] == [code.value for code in Code]


def test_every_reason_of_the_log_is_explained() -> None:
    files = [*SOURCE.glob("specs/openid2/*.py"), *SOURCE.glob("net/openid2_*.py")]
    text = "".join(file.read_text("utf-8") for file in files)
    said = set(re.findall(r'"(openid-[a-z-]+)"', text))
    told = {name.strip("`") for name in rows() if name.startswith("`openid-")}
    assert said == told
    assert WINDOW == 5 * 60


@attrs.frozen
class Example:
    """
    The built example.

    Attributes:
        site: The route for people.
        feeds: The route with passwords besides.
    """

    site: Route
    feeds: Route

    def name(self, subject: str, route: Route | None = None) -> str:
        """Give what a backend calls somebody, or why nothing."""
        identity = make_identity(subject=subject, issuer=ISSUER)
        answer = now(name_user(route or self.site, identity))
        return answer.reason if isinstance(answer, Response) else answer


@pytest.fixture
def example(tmp_path: Path) -> Example:
    shutil.copy(ROOT / "etc" / "openid.map", tmp_path)
    (tmp_path / "users").write_text(htpasswd_line("robot", "x"))
    (tmp_path / "tls").mkdir()
    issued = Pki.create().issue("app", dns=["app.example.com"], server=True)
    issued.write(tmp_path / "tls", "app")
    file = tmp_path / "sso-proxy.toml"
    file.write_text(f"[server]\nstate_dir = 'state'\n{EXAMPLE.read_text()}", "utf-8")
    host = build_parts(load_config(file), SettableClock()).routes.of_host(
        "app.example.com"
    )
    assert host is not None
    site, feeds = host.find("/"), host.find("/feeds/")
    assert site is not None
    assert feeds is not None
    return Example(site, feeds)


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("https://alice.example.org/", "alice"),
        ("https://alice.example.org", "user-unmapped"),
        ("https://alice.example.org/#2", "user-unmapped"),
        ("https://openid.example.net/id/7f3a#2", "bob"),
        ("https://openid.example.net/id/7f3a", "user-unmapped"),
        ("https://carol.example.net/", "carol"),
        ("https://mallory.example.net/", "user-refused"),
        ("https://evil.example/?carol.example.net/", "user-unmapped"),
        ("https://carol.example.net/#2", "user-unmapped"),
        ("https://carolXexample.net/", "user-unmapped"),
        ("http://carol.example.net/", "user-unmapped"),
        ("robot", "user-unmapped"),
    ],
)
def test_whose_identifier_is_known(example: Example, subject: str, name: str) -> None:
    """etc/openid2.toml"""
    assert example.name(subject) == name


def test_users_of_passwords_have_names_where_they_may_come(example: Example) -> None:
    assert example.name("robot", example.feeds) == "robot"
    assert example.name("https://carol.example.net/", example.feeds) == "carol"


def mappers() -> dict[str, dict[str, Any]]:
    """Give the mappers of the page, by their names."""
    found: dict[str, dict[str, Any]] = {}
    for block in re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        found |= tomllib.loads(block).get("mapper", {})
    return found


def pattern(name: str) -> PatternMapper:
    """Make a mapper of the page."""
    rules = tuple(PatternRule(**rule) for rule in mappers()[name]["rules"])
    return PatternMapper(PatternMapperConfig(rules=rules))


@pytest.mark.parametrize(
    ("mapper", "subject", "name"),
    [
        ("hosted", "https://a-1.example.net/", "a-1"),
        ("hosted", "https://openid.example.com/staff/bob", "staff-bob"),
        ("hosted", "https://openid.example.com/staff/bob#7", "staff-bob"),
        ("hosted", "https://openid.example.com/staff/bob#x", None),
        ("hosted", "https://openid.example.com/staff/bob/x", None),
        ("hosted", "https://evil.example/?a.example.net/", None),
        (
            "players",
            "https://steamcommunity.com/openid/id/76561197960287930",
            "steam-76561197960287930",
        ),
        ("players", "https://steamcommunity.com/openid/id/1", None),
    ],
)
def test_expressions_of_the_page(mapper: str, subject: str, name: str | None) -> None:
    identity = make_identity(subject=subject, issuer=ISSUER)
    assert now(pattern(mapper).map_user(identity)) == (name or DECLINED)


def test_an_expression_without_care_is_somebody_elses() -> None:
    """As the page says, which is why that of the example names its characters."""
    rule = PatternRule(match=r"https://(.*)\.example\.net/", user="$1")
    careless = PatternMapper(PatternMapperConfig(rules=(rule,)))
    evil = make_identity(subject="https://evil.example/?.example.net/")
    assert now(careless.map_user(evil)) == "evil.example/?"


def test_up_to_nine_parts_of_an_identifier_make_a_name() -> None:
    rule = PatternRule(match="https://" + "/".join(["([a-z])"] * 9), user="$9$5$1$$")
    mapper = PatternMapper(PatternMapperConfig(rules=(rule,)))
    identity = make_identity(subject="https://a/b/c/d/e/f/g/h/i")
    assert now(mapper.map_user(identity)) == "iea$"


def test_the_table_of_the_page_and_the_directory() -> None:
    found = mappers()
    few = {k: v for k, v in found["few"].items() if k != "type"}
    static = StaticMapper.from_config(StaticMapperConfig(**few), FakeTools())
    identity = make_identity(subject="https://openid.example.net/id/7f3a#2")
    assert now(static.map_user(identity)) == "bob"
    directory = {k: v for k, v in found["directory"].items() if k != "type"}
    directory["servers"] = tuple(directory["servers"])
    assert list(LdapMapperConfig(**directory).problems()) == []


@pytest.mark.parametrize("delimiter", ["=", " "])
def test_identifiers_stand_in_files_of_both_kinds(
    tmp_path: Path, delimiter: str
) -> None:
    identifier = "https://openid.example.net/?user=7f3a#2"
    file = tmp_path / "users"
    file.write_text(
        f'"{identifier}"{delimiter}bob\n# x\nhttps://a.example/#b{delimiter}c\n'
    )
    config = FileMapperConfig(file=str(file), delimiter=delimiter)
    mapper = FileMapper("x", config, NoThreads(), SettableClock())
    for subject, name in ((identifier, "bob"), ("https://a.example/#b", "c")):
        assert now(mapper.map_user(make_identity(subject=subject))) == name


def test_what_a_mapper_of_ones_own_sees_is_on_the_page() -> None:
    for name in (ISSUER, PROVIDER, LOCAL_ID):
        assert f"`{name}`" in PAGE
