"""What is kept of a login comes back as it was."""

import json

import attrs
import pytest

from sso_proxy.authn.oidc_begun import Begun
from sso_proxy.login import Wanted
from sso_proxy.specs.oidc.response_type import ResponseType

SHORT = Begun(
    by="corp",
    issuer="https://login.example.com",
    redirect_uri="https://app.example.com/.sso/callback/corp",
    nonce="secret-nonce",
    verifier="secret-verifier",
    at=1.5,
    wanted=Wanted(target="/"),
)
LONG = attrs.evolve(
    SHORT,
    response_type=ResponseType("code id_token"),
    response_mode="form_post",
    acr_values=("gold", "silver"),
    max_age=0,
    prompt="login",
    claims={"id_token": {"email": None}},
    resource=("https://api.example.com",),
    wanted=Wanted(target="/a?b=c", acr_values=("gold",), max_age=0, restore="r"),
)


NOTHING = attrs.evolve(SHORT, claims={}, resource=())
IMPLICIT = attrs.evolve(SHORT, response_type=ResponseType("id_token"), verifier="")


@pytest.mark.parametrize("begun", [SHORT, LONG, NOTHING, IMPLICIT])
def test_what_is_written_is_read(begun: Begun) -> None:
    """A limit of 0 seconds is one, too."""
    text = json.dumps(begun.as_json())
    assert Begun.from_json(json.loads(text)) == begun


def test_what_says_nothing_is_not_written() -> None:
    """Cookies are short."""
    left_out = {"type", "mode", "acr", "age", "prompt", "claims", "res"}
    assert not left_out & SHORT.as_json().keys()


def test_no_secret_is_shown() -> None:
    assert "secret" not in repr(LONG)
