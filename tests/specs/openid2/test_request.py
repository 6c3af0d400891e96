"""What a provider is asked by way of a browser."""

from urllib.parse import parse_qsl, urlsplit

from sso_proxy.specs.openid2.discovery import Endpoint
from sso_proxy.specs.openid2.names import IDENTIFIER_SELECT, NS
from sso_proxy.specs.openid2.request import build_request, request_url

OP = "https://op.example/login"
BACK = "https://app.example/callback?login=1"
REALM = "https://app.example/"
ALICE = Endpoint(op_endpoint=OP, claimed_id="https://a.example/", local_id="alice")


def test_the_user_and_the_name_at_the_provider_are_asked_for() -> None:
    assert build_request(ALICE, return_to=BACK, realm=REALM, handle="h") == (
        ("openid.ns", NS),
        ("openid.mode", "checkid_setup"),
        ("openid.claimed_id", "https://a.example/"),
        ("openid.identity", "alice"),
        ("openid.return_to", BACK),
        ("openid.realm", REALM),
        ("openid.assoc_handle", "h"),
    )


def test_a_user_who_is_to_choose_is_asked_for_in_both_fields() -> None:
    endpoint = Endpoint(op_endpoint=OP, select=True)
    fields = dict(build_request(endpoint, return_to=BACK, realm=REALM, immediate=True))
    assert fields["openid.claimed_id"] == IDENTIFIER_SELECT
    assert fields["openid.identity"] == IDENTIFIER_SELECT
    assert fields["openid.mode"] == "checkid_immediate"
    assert "openid.assoc_handle" not in fields


def test_fields_go_behind_a_query_that_is_there() -> None:
    fields = build_request(ALICE, return_to=BACK, realm=REALM)
    parts = urlsplit(request_url(f"{OP}?tenant=1", fields))
    assert parse_qsl(parts.query) == [("tenant", "1"), *fields]
    assert request_url(OP, fields).startswith(f"{OP}?openid.ns=")
