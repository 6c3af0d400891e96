"""Each way to authenticate has the options that it needs, and no others."""

from typing import get_args

import attrs

from sso_proxy.net.client_auth_options import (
    auth_problems,
    certificate_problems,
    needed_options,
)
from sso_proxy.specs.oauth.client_auth import AuthMethod

NEEDED = needed_options("signer")


@attrs.frozen(kw_only=True)
class Options:
    auth: AuthMethod
    client_id: str = ""
    client_secret: str | None = None
    bearer_token: str | None = None
    signer: str | None = None
    certificate: str | None = None
    key: str | None = None


def problems(auth: AuthMethod, **options: str) -> list[str]:
    purposes: dict[str, tuple[AuthMethod, ...]] = {"signer": ("private_key_jwt",)}
    return list(auth_problems(Options(auth=auth, **options), NEEDED, purposes))


def test_every_method_says_what_it_needs() -> None:
    assert set(NEEDED) == set(get_args(AuthMethod))


def test_all_that_is_missing_is_said_at_once() -> None:
    assert problems("tls_client_auth") == [
        "auth = 'tls_client_auth' needs client_id",
        "auth = 'tls_client_auth' needs certificate",
        "auth = 'tls_client_auth' needs key",
    ]
    assert problems("private_key_jwt", client_id="c", signer="s") == []


def test_what_has_no_effect_is_said() -> None:
    assert problems("none", signer="s") == [
        "signer has no effect without auth = 'private_key_jwt'"
    ]


def test_half_a_certificate_is_none() -> None:
    assert list(certificate_problems("c", "k")) == []
    assert list(certificate_problems(None, None)) == []
    for half in (("c", None), (None, "k")):
        assert list(certificate_problems(*half)) == [
            "certificate and key are set together"
        ]
