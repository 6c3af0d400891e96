"""The state directory is where the administrator, systemd or the user's home says."""

from pathlib import Path

import pytest

from sso_proxy.config.state import state_directory


def test_configured_directory_wins() -> None:
    environ = {"STATE_DIRECTORY": "/s"}
    assert state_directory("/x", uid=0, environ=environ) == Path("/x")


def test_service_takes_the_one_of_systemd() -> None:
    environ = {"STATE_DIRECTORY": "/var/lib/private/sso-proxy:/other"}
    expected = Path("/var/lib/private/sso-proxy")
    assert state_directory(None, uid=998, environ=environ) == expected


def test_root_takes_the_systems() -> None:
    expected = Path("/var/lib/sso-proxy")
    assert state_directory(None, uid=0, environ={"XDG_STATE_HOME": "/h"}) == expected


def test_user_takes_the_one_of_the_home() -> None:
    environ = {"XDG_STATE_HOME": "/home/me/state"}
    expected = Path("/home/me/state/sso-proxy")
    assert state_directory(None, uid=1000, environ=environ) == expected


@pytest.mark.parametrize("value", ["", "relative"])
def test_home_is_guessed_as_the_specification_says(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    expected = Path("/home/me/.local/state/sso-proxy")
    environ = {"XDG_STATE_HOME": value}
    assert state_directory(None, uid=1000, environ=environ) == expected


def test_user_without_a_home_takes_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run as a user that is in no list."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 1234567)
    expected = Path("/var/lib/sso-proxy")
    assert state_directory(None, uid=1234567, environ={}) == expected
