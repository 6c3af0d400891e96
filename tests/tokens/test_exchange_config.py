"""Options of exchanges say what does not fit."""

from typing import Any

import pytest

from sso_proxy.tokens.exchange_config import ExchangeConfig

AT = "https://sts.example.com/token"


def config(**options: Any) -> ExchangeConfig:  # noqa: ANN401
    return ExchangeConfig(**{"endpoint": AT, "auth": "none", **options})


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"subject": "none"}, "leaves nothing to exchange"),
        ({"subject": "cookie:legacy"}, "subject_type is missing"),
        ({"subject": "certificate"}, "subject_type is missing"),
        ({"actor": "header:X-Actor"}, "actor_type is missing"),
        ({"actor_type": "jwt"}, "actor_type has no effect without actor"),
        ({"subject_type": "jwot"}, "'jwot' is neither a URI"),
        ({"requested_type": "jwot"}, "'jwot' is neither a URI"),
        ({"accept_types": ("jwot",)}, "'jwot' is neither a URI"),
        ({"require_scope": True}, "require_scope has no effect without scope"),
        ({"params": {"subject_token": "x"}}, "params must not set subject_token"),
        ({"params": {"client_secret": "x"}}, "params must not set client_secret"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        config(**options)


def test_types_are_uris_in_the_end() -> None:
    made = config(requested_type="jwt", accept_types=("saml2", "urn:x"))
    assert made.requested == "urn:ietf:params:oauth:token-type:jwt"
    assert made.accepted == {"urn:ietf:params:oauth:token-type:saml2", "urn:x"}
    assert config().requested == ""
