"""Operators are told what ends soon, and what is less safe than it could be."""

from pathlib import Path

import pytest
from zope.interface import implementer

from sso_proxy.checking import check
from sso_proxy.config.load import load_config
from sso_proxy.interfaces import INoted
from sso_proxy.notes import notes_of
from tests.support.explain_scene import CONFIG, write_config

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


class _Ending:
    """A certificate."""

    def health(self, now: float) -> tuple[str, ...]:
        return (f"ends {now:.0f}",)


@implementer(INoted)
class _Noted:
    """A part with notes."""

    notes = ("first", "second")


def test_all_that_is_noted_is_told() -> None:
    found = notes_of([None, _Ending()], [object(), _Noted()], 5.0)
    assert list(found) == ["ends 5", "first", "second"]


def test_a_check_tells_of_logins_without_pkce(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENT_SECRET", "a client secret")
    (note,) = check(load_config(write_config(tmp_path, CONFIG + _LOGIN))).notes
    assert note.startswith("authenticator.people: pkce = 'off'")
