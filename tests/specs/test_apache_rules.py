"""Files of Apache's are translated so that nobody gets in whom Apache refuses."""

from pathlib import Path
from typing import Any

import pytest

from sso_proxy.authz.rules import RulesPolicy
from sso_proxy.authz.rules_config import RulesConfig
from sso_proxy.model import Effect
from sso_proxy.specs.apache_rules import import_rules
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request

HOST = "app.example.com"
CLAIMS = {"role": "admin", "email": "a@example.com"}


class Imported:
    """A file of Apache's, and the policy that it came to."""

    def __init__(self, text: str, directory: Path) -> None:
        found = import_rules(text, "apache.conf")
        file = directory / "rules.toml"
        file.write_text(found.rules)
        config = RulesConfig(files=(str(file),), combine="first_applicable")
        self.policy = RulesPolicy.from_config(config, FakeTools())
        self.findings = [(each.line, each.kind) for each in found.findings]
        self.rules = found.rules

    def passes(self, path: str, host: str = HOST, **claims: Any) -> bool:  # noqa: ANN401
        identity = make_identity(claims=claims)
        found = self.policy.check(identity, make_request(path=path, host=host))
        return found.effect is Effect.PERMIT


def site(text: str, names: str = f"ServerName {HOST}") -> str:
    return f"<VirtualHost *:443>\n{names}\n{text}\n</VirtualHost>\n"


def location(path: str, *requires: str) -> str:
    lines = "\n".join(f"Require {each}" for each in requires)
    return f"<Location {path}>\n{lines}\n</Location>\n"


def test_the_last_section_that_fits_counts(tmp_path: Path) -> None:
    text = site(
        location("/", "valid-user")
        + location("/admin", "claim role:admin")
        + location("/admin/open", "all granted")
    )
    found = Imported(text, tmp_path)
    assert found.passes("/x")
    assert not found.passes("/admin")
    assert not found.passes("/admin/x")
    assert found.passes("/admin/x", role="admin")
    assert found.passes("/admin/open/x")
    assert found.passes("/administration")
    assert not found.passes("/x", host="other.example.com")
    assert {kind for _, kind in found.findings} == {"translated"}


def test_a_wider_section_behind_a_narrower_one_takes_its_place(tmp_path: Path) -> None:
    """As Apache has it: sections count in their order, not by their length."""
    text = location("/admin", "claim role:admin") + location("/", "valid-user")
    assert Imported(text, tmp_path).passes("/admin")


def test_a_path_with_a_slash_at_its_end_is_not_the_one_without(tmp_path: Path) -> None:
    text = location("/", "claim role:admin") + location("/in/", "all granted")
    found = Imported(text, tmp_path)
    assert found.passes("/in/")
    assert found.passes("/in/x")
    assert not found.passes("/in")


def test_what_stands_outside_comes_before_what_stands_in_a_site(tmp_path: Path) -> None:
    text = site(location("/a", "all granted")) + location("/", "claim role:admin")
    found = Imported(text, tmp_path)
    assert found.passes("/a")
    assert not found.passes("/b")
    assert found.passes("/b", role="admin")
    assert not found.passes("/b", host="other.example.com", role="admin")


def test_sites_have_other_names(tmp_path: Path) -> None:
    names = (
        f"ServerName https://{HOST.upper()}:443\nServerAlias *.example.org b.example"
    )
    found = Imported(site(location("/", "all granted"), names), tmp_path)
    for host in (HOST, "x.example.org", "b.example"):
        assert found.passes("/", host)
    assert not found.passes("/", "x.y.example.org")


def test_names_that_rules_cannot_have_are_denied(tmp_path: Path) -> None:
    names = "ServerName a.example\nServerAlias w?.example *.b*.example"
    other = site(location("/", "all granted"), "ServerName *.example")
    found = Imported(site(location("/", "valid-user"), names) + other, tmp_path)
    assert found.passes("/", "a.example")
    assert found.passes("/", "c.example")
    assert not found.passes("/", "wx.example")
    assert found.findings[0] == (3, "unsupported")


def test_a_name_of_two_sites_is_denied(tmp_path: Path) -> None:
    text = site(location("/", "valid-user")) + site(location("/", "all granted"))
    found = Imported(text, tmp_path)
    assert not found.passes("/")
    assert (0, "unsupported") in found.findings


def test_a_site_that_only_redirects_does_not_matter(tmp_path: Path) -> None:
    text = site("Redirect / https://x/") + site(location("/", "valid-user"))
    assert Imported(text, tmp_path).passes("/")


@pytest.mark.parametrize(
    "closing",
    [
        "<LocationMatch ^/a>\nRequire all granted\n</LocationMatch>",
        '<Location ~ "^/a">\nRequire all granted\n</Location>',
        "<LocationMatch ^/(?!b)>\nRequire all granted\n</LocationMatch>",
        "<Location /a*>\nRequire all granted\n</Location>",
        '<Location "/a b">\nRequire all granted\n</Location>',
        "<If true>\nRequire all granted\n</If>",
        "<IfDefine X>\n<Location /a>\nRequire all granted\n</Location>\n</IfDefine>",
        "<IfModule !x>\n<Location /a>\nRequire all granted\n</Location>\n</IfModule>",
        "Include more.conf",
        "<Location /a>\nInclude more.conf\nRequire all granted\n</Location>",
        "<Location /a>\nSatisfy Any\nRequire all granted\n</Location>",
        "<Location /a>\nOrder allow,deny\n</Location>",
        "<Location /a>\nAuthMerging And\nRequire all granted\n</Location>",
        "<Location /a>\nRequire ip 9\n<Limit PUT>\nRequire ip 9\n</Limit>\n</Location>",
        "<Location /a>\nRequire env x\n</Location>",
        "<Location /a>\nRequire claim a:" + "b" * 5000 + "\n</Location>",
    ],
)
def test_what_cannot_be_translated_denies(closing: str, tmp_path: Path) -> None:
    found = Imported(site(location("/", "valid-user") + closing), tmp_path)
    assert not found.passes("/a")
    assert not found.passes("/a/%20")
    assert "unsupported" in {kind for _, kind in found.findings}


def test_a_pattern_denies_what_it_fits(tmp_path: Path) -> None:
    closing = "<LocationMatch ^/a/\\d+'>\nRequire all granted\n</LocationMatch>"
    found = Imported(location("/", "valid-user") + closing, tmp_path)
    assert found.passes("/a/x")
    assert not found.passes("/a/1'")
    assert not found.passes("/b/%20")


def test_files_do_not_matter(tmp_path: Path) -> None:
    text = "<Directory />\nRequire all denied\n</Directory>\n"
    found = Imported(text + location("/", "valid-user"), tmp_path)
    assert found.passes("/")
    assert found.findings[0] == (1, "unsupported")


def test_modules_are_there(tmp_path: Path) -> None:
    text = f"<IfModule mod_x.c>\n{location('/', 'valid-user')}</IfModule>"
    assert Imported(text, tmp_path).passes("/")


@pytest.mark.parametrize(
    ("directives", "user", "passes"),
    [
        ("AuthType openid-connect", "alice@login.example.com", True),
        ("AuthType openid-connect", "alice", False),
        ("AuthType openid-connect\nOIDCRemoteUserClaim sub", "alice", True),
        ("AuthType openid-connect\nOIDCRemoteUserClaim email", "a@example.com", True),
        ("AuthType openid-connect\nOIDCRemoteUserClaim email ^(.*)@", "a", False),
        ("AuthType openid-connect\nOIDCRemoteUserClaim email@", "a@example.com", False),
        ("AuthType oauth20", "alice", True),
        ("AuthType oauth20\nOIDCOAuthRemoteUserClaim email", "a@example.com", True),
        ("AuthType oauth2", "alice", True),
        ("AuthType oauth2\nOAuth2TargetPass remote_user_claim=x", "alice", False),
        ("AuthType Basic", "alice", False),
        ("", "alice", False),
    ],
)
def test_users_have_the_names_that_the_file_gives_them(
    directives: str, user: str, *, passes: bool, tmp_path: Path
) -> None:
    text = f"{directives}\n{location('/', f'user {user}')}"
    assert Imported(text, tmp_path).passes("/", **CLAIMS) is passes


def test_lines_are_told_what_became_of_them(tmp_path: Path) -> None:
    text = location("/", "claim a:b", "env x\x00", "claim a~b")
    found = Imported(text, tmp_path)
    assert found.findings == [
        (2, "translated"),
        (3, "unsupported"),
        (4, "approximated"),
    ]
    assert "#   unsupported: require env x? (there is nothing like" in found.rules


def test_a_file_without_requirements_lets_nobody_in() -> None:
    assert "[[rule]]" not in import_rules("ServerName a", "a").rules
