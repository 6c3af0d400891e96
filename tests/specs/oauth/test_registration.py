"""What we ask to be registered as, and what providers make of it."""

import json
from typing import Any

import pytest

from sso_proxy.specs.oauth.registration import (
    MAX_REGISTRATION,
    ClientWish,
    Registration,
    RegistrationError,
    choose_auth,
    needs_secret,
    read_registration,
    update_members,
)

ISSUER = "https://login.example.com"
CALLBACK = "https://app.example.com/.sso/callback/people"
GOOD = {
    "client_id": "s6BhdRkqt3",
    "client_secret": "cf136dc3c1fc93f31185e5885805d",
    "client_secret_expires_at": 1577858400,
    "registration_access_token": "reg-23410913-abewfq.123483",
    "registration_client_uri": f"{ISSUER}/register/s6BhdRkqt3",
    "token_endpoint_auth_method": "client_secret_post",
}


def read(status: int = 201, **changes: Any) -> Registration:  # noqa: ANN401
    members = {name: v for name, v in {**GOOD, **changes}.items() if v is not None}
    return read_registration(status, json.dumps(members).encode(), issuer=ISSUER)


def test_a_wish_says_only_what_there_is_to_say() -> None:
    assert ClientWish(redirect_uris=(CALLBACK,)).as_json() == {
        "application_type": "web",
        "redirect_uris": [CALLBACK],
        "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "client_secret_basic",
    }


def test_grants_go_with_response_types() -> None:
    wish = ClientWish(redirect_uris=(CALLBACK,), response_types=("id_token",))
    assert wish.as_json()["grant_types"] == ["implicit"]
    wish = ClientWish(redirect_uris=(CALLBACK,), response_types=("code id_token",))
    grants = ["authorization_code", "implicit", "refresh_token"]
    assert wish.as_json()["grant_types"] == grants


def test_further_members_count_more() -> None:
    wish = ClientWish(redirect_uris=(CALLBACK,), more={"application_type": "native"})
    assert wish.as_json()["application_type"] == "native"


def test_a_session_id_is_wanted_where_logouts_are_told_in_the_browser() -> None:
    wish = ClientWish(redirect_uris=(CALLBACK,), frontchannel_logout_uri="https://a/b")
    assert wish.as_json()["frontchannel_logout_session_required"] is True


@pytest.mark.parametrize("status", [200, 201])
def test_a_registration_is_read(status: int) -> None:
    found = read(status)
    assert found.client_id == "s6BhdRkqt3"
    assert found.client_secret == "cf136dc3c1fc93f31185e5885805d"
    assert found.auth_method == "client_secret_post"
    assert found.client_uri == f"{ISSUER}/register/s6BhdRkqt3"
    assert not found.expires_before(1577858399)
    assert found.expires_before(1577858400)


def test_secrets_are_in_no_representation() -> None:
    text = repr(read())
    assert "cf136" not in text
    assert "reg-2341" not in text


def test_a_secret_may_never_expire() -> None:
    assert not read(client_secret_expires_at=0).expires_before(1e12)


def test_there_may_be_no_secret() -> None:
    found = read(client_secret=None, client_secret_expires_at=None)
    assert found.client_secret is None
    assert not found.expires_before(1e12)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"client_id": None}, "client_id is missing"),
        ({"client_id": 1}, "client_id is no"),
        ({"client_id": "a\nb"}, "client_id is no"),
        ({"client_id": "a" * 5000}, "client_id has more"),
        ({"client_secret_expires_at": None}, "client_secret_expires_at"),
        ({"client_secret_expires_at": True}, "client_secret_expires_at"),
        ({"client_secret_expires_at": -1}, "client_secret_expires_at"),
        ({"client_secret_expires_at": 1e300}, "client_secret_expires_at"),
        ({"client_secret_expires_at": "0"}, "client_secret_expires_at"),
        ({"registration_client_uri": "http://a.example/"}, "must be https"),
        ({"registration_client_uri": "https://169.254.169.254/"}, "local address"),
        ({"registration_access_token": ["a"]}, "registration_access_token"),
        ({"more": "x" * MAX_REGISTRATION}, "octets"),
    ],
)
def test_what_is_no_registration_is_refused(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(RegistrationError, match=problem):
        read(**changes)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(RegistrationError, match="status 502"):
        read_registration(502, b"<html>", issuer=ISSUER)


def test_a_refusal_says_why_in_printable_words() -> None:
    body = {"error": "invalid_redirect_uri", "error_description": "not\x1b[2Jthat"}
    with pytest.raises(RegistrationError) as caught:
        read_registration(400, json.dumps(body).encode(), issuer=ISSUER)
    assert caught.value.error == "invalid_redirect_uri"
    assert caught.value.detail == "not [2Jthat"
    assert caught.value.status == 400


def test_what_an_update_does_not_say_again_stays() -> None:
    body = json.dumps({"client_id": "s6BhdRkqt3"}).encode()
    found = read_registration(200, body, issuer=ISSUER, before=read())
    assert found.client_secret == GOOD["client_secret"]
    assert found.secret_expires_at == GOOD["client_secret_expires_at"]
    assert found.access_token == GOOD["registration_access_token"]
    assert found.client_uri == GOOD["registration_client_uri"]


def test_an_update_may_bring_another_secret() -> None:
    body = {**GOOD, "client_secret": "new", "client_secret_expires_at": 0}
    text = json.dumps(body).encode()
    found = read_registration(200, text, issuer=ISSUER, before=read())
    assert (found.client_secret, found.secret_expires_at) == ("new", 0)


def test_an_update_never_makes_another_client_of_us() -> None:
    body = json.dumps({**GOOD, "client_id": "other"}).encode()
    with pytest.raises(RegistrationError, match="another"):
        read_registration(200, body, issuer=ISSUER, before=read())


def test_an_update_has_our_name_and_secret_and_nothing_of_the_providers() -> None:
    wish = ClientWish(redirect_uris=(CALLBACK,), more={"client_id_issued_at": 1})
    members = update_members(read(), wish.as_json())
    assert members["client_id"] == "s6BhdRkqt3"
    assert members["client_secret"] == GOOD["client_secret"]
    assert members["redirect_uris"] == [CALLBACK]
    assert not {*members} & {
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
    }


@pytest.mark.parametrize(
    ("supported", "with_key", "method"),
    [
        ((), False, "client_secret_basic"),
        ((), True, "client_secret_basic"),
        (("client_secret_post", "private_key_jwt"), True, "private_key_jwt"),
        (("client_secret_post", "private_key_jwt"), False, "client_secret_post"),
        (("none",), False, "none"),
    ],
)
def test_the_best_way_to_authenticate_is_chosen(
    supported: tuple[str, ...],
    with_key: bool,  # noqa: FBT001
    method: str,
) -> None:
    assert choose_auth(supported, with_key=with_key) == method


def test_there_may_be_no_way_to_authenticate() -> None:
    with pytest.raises(RegistrationError, match="no way"):
        choose_auth(("tls_client_auth",), with_key=False)


def test_methods_with_a_secret_are_known() -> None:
    assert needs_secret("client_secret_jwt")
    assert not needs_secret("private_key_jwt")
