"""Who we are to a server is made of our options, with both secrets."""

from pathlib import Path

import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.net.client_config import ClientOptions
from sso_proxy.net.client_identity import noting, read_clients, read_dpop_key
from sso_proxy.net.client_keys import ClientKeys
from sso_proxy.testing.pki import Pki


def test_a_second_secret_is_a_second_way_to_be_known() -> None:
    config = ClientOptions(
        client_id="us", client_secret=Secret("old"), client_secret_next=Secret("new")
    )
    mistakes: list[Mistake] = []
    clients = read_clients(config, ClientKeys(), "https://op.example", "x", mistakes)
    assert not mistakes
    assert [client.secret for client in clients] == ["old", "new"]
    assert {client.audience for client in clients} == {"https://op.example"}


def test_a_short_secret_signs_nothing() -> None:
    config = ClientOptions(
        client_id="us", auth="client_secret_jwt", client_secret=Secret("short")
    )
    mistakes: list[Mistake] = []
    assert read_clients(config, ClientKeys(), "https://op.example", "x", mistakes) == ()
    assert [mistake.path for mistake in mistakes] == ["x.client_secret"]


def test_a_key_for_proofs_is_read(tmp_path: Path) -> None:
    _, file = Pki.create().issue("us").write(tmp_path, "us")
    key = read_dpop_key(ClientOptions(dpop="on", dpop_key=str(file)), "x")
    assert key is not None
    assert read_dpop_key(ClientOptions(), "x") is None


def test_an_unusable_key_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "none"
    file.write_bytes(b"none")
    mistakes: list[Mistake] = []
    with noting(mistakes):
        read_dpop_key(ClientOptions(dpop="on", dpop_key=str(file)), "x")
    assert [mistake.path for mistake in mistakes] == ["x.dpop_key"]


def test_what_is_no_mistake_is_not_noted() -> None:
    with pytest.raises(OSError, match="down"), noting([]):
        raise OSError("down")


def test_a_mistake_is_noted_once_and_no_more() -> None:
    def refuse() -> None:
        raise ConfigError(Mistake("x", "y"))

    mistakes: list[Mistake] = []
    with noting(mistakes):
        refuse()
    assert mistakes == [Mistake("x", "y")]
