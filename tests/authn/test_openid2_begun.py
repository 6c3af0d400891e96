"""What is kept of a login that has begun."""

from sso_proxy.authn.openid2_begun import Begun, return_to
from sso_proxy.login import Wanted
from sso_proxy.specs.openid2.discovery import Endpoint

BEGUN = Begun(
    by="openid",
    place="https://app.example.com/.sso/callback/openid",
    endpoint=Endpoint(
        op_endpoint="https://op.example/", claimed_id="https://a.example/"
    ),
    wanted=Wanted(target="/page"),
)


def test_it_is_read_as_it_was_written() -> None:
    assert Begun.from_json(BEGUN.as_json()) == BEGUN


def test_what_another_type_of_login_keeps_is_none() -> None:
    assert Begun.from_json({"by": "openid", "for": {"to": "/"}}) is None


def test_the_answer_names_the_login() -> None:
    assert return_to(BEGUN.place, "abc") == f"{BEGUN.place}?login=abc"
