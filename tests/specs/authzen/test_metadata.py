"""A decision point is found by its own word, and by nobody else's."""

import json
from typing import Any

import pytest

from sso_proxy.specs.authzen.metadata import metadata_url, read_metadata
from sso_proxy.specs.authzen.values import JSON_TYPE, AuthzenError
from sso_proxy.specs.oauth.urls import UrlRefusedError

PDP = "https://pdp.example.com"


@pytest.mark.parametrize(
    ("decision_point", "url"),
    [
        (PDP, f"{PDP}/.well-known/authzen-configuration"),
        (f"{PDP}/tenant1", f"{PDP}/.well-known/authzen-configuration/tenant1"),
        (f"{PDP}/", f"{PDP}/.well-known/authzen-configuration"),
    ],
)
def test_metadata_stands_before_the_path(decision_point: str, url: str) -> None:
    assert metadata_url(decision_point) == url


@pytest.mark.parametrize("url", ["http://pdp.example.com", "pdp", f"{PDP}/?a"])
def test_what_is_no_decision_point_is_refused(url: str) -> None:
    with pytest.raises(UrlRefusedError):
        metadata_url(url)


def read(kind: str = JSON_TYPE, **members: Any) -> str:  # noqa: ANN401
    good = {
        "policy_decision_point": PDP,
        "access_evaluation_endpoint": f"{PDP}/access/v1/evaluation",
    }
    return read_metadata(PDP, kind, json.dumps({**good, **members}).encode())


def test_its_endpoint_is_found() -> None:
    assert read() == f"{PDP}/access/v1/evaluation"
    assert read(access_evaluation_endpoint="https://b.example.com/x").endswith("/x")


@pytest.mark.parametrize(
    "members",
    [
        {"policy_decision_point": "https://other.example.com"},
        {"policy_decision_point": f"{PDP}/"},
        {"policy_decision_point": None},
        {"access_evaluation_endpoint": None},
        {"access_evaluation_endpoint": "http://pdp.example.com/"},
        {"access_evaluation_endpoint": "https://127.0.0.1/"},
        {"access_evaluation_endpoint": "https://u:p@pdp.example.com/"},
    ],
)
def test_metadata_that_leads_elsewhere_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(AuthzenError):
        read(**members)


def test_only_json_is_metadata() -> None:
    with pytest.raises(AuthzenError):
        read("text/html")
