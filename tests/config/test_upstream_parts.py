"""Options of upstreams are read strictly."""

from typing import Any

import pytest

from sso_proxy.config.structure import structure
from sso_proxy.config.upstream_parts import MaintenanceOptions, UpstreamOptions
from sso_proxy.errors import ConfigError

SERVER = {"url": "http://127.0.0.1:1"}


def test_little_has_to_be_written(tmp_path: Any) -> None:  # noqa: ANN401
    read = structure(
        {"server": [SERVER, {**SERVER, "weight": 3}], "ca": "ca.pem"},
        UpstreamOptions,
        path="upstream.shop",
        directory=tmp_path,
    )
    assert [each.weight for each in read.server] == [1, 3]
    assert read.ca == str(tmp_path / "ca.pem")
    assert (read.balance, read.health, read.failure) == (
        "round_robin",
        None,
        ("connect",),
    )


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ({}, "server"),
        ({"server": []}, "server"),
        ({"server": ["http://127.0.0.1:1"]}, "server[0]"),
        ({"server": [{"url": "http://a", "weight": -1}]}, "server[0].weight"),
        ({"server": [SERVER], "balance": "random"}, "balance"),
        ({"server": [SERVER], "failure": ["any"]}, "failure[0]"),
        ({"server": [SERVER], "health": {"interval": 0}}, "health.interval"),
        ({"server": [SERVER], "queue": -1}, "queue"),
        ({"server": [SERVER], "host": "a"}, "host"),
    ],
)
def test_mistakes_are_said(written: dict[str, Any], place: str, tmp_path: Any) -> None:  # noqa: ANN401
    with pytest.raises(ConfigError) as caught:
        structure(written, UpstreamOptions, path="upstream.a", directory=tmp_path)
    assert [m.path for m in caught.value.mistakes] == [f"upstream.a.{place}"]


def test_everybody_cannot_be_let_through_maintenance(tmp_path: Any) -> None:  # noqa: ANN401
    with pytest.raises(ConfigError):
        structure(
            {"on": True, "allow": ["0.0.0.0/0"]},
            MaintenanceOptions,
            path="route[0].maintenance",
            directory=tmp_path,
        )
