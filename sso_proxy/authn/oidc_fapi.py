"""What the FAPI 2.0 Security Profile asks of clients (section 5.3.3), as options."""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from sso_proxy.specs.oidc.metadata import FAPI_ALGORITHMS

_AUTH: Final = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
_ALGORITHMS: Final = ("id_token", "response", "userinfo")


class Options(Protocol):
    """The options that the profile has an opinion on."""

    @property
    def issuer(self) -> str:
        """The provider."""

    @property
    def response_type(self) -> str:
        """What browsers bring back."""

    @property
    def auth(self) -> str:
        """How we prove who we are."""

    @property
    def assertion_audience(self) -> str | None:
        """For whom that proof is."""

    @property
    def dpop(self) -> str:
        """Whether tokens are bound to a key."""

    @property
    def certificate(self) -> str | None:
        """What else they may be bound to."""

    @property
    def pkce(self) -> str:
        """Whether codes are asked for with a challenge."""

    @property
    def par(self) -> str:
        """Whether requests are pushed."""

    @property
    def request_object(self) -> str:
        """Whether requests are signed."""

    @property
    def iss_required(self) -> bool | None:
        """Whether answers name the issuer."""

    @property
    def allow_alg_none(self) -> bool:
        """Whether ID tokens need no signature."""

    @property
    def id_token_audiences(self) -> tuple[str, ...]:
        """For whom else ID tokens may be."""


def fapi_problems(options: Options) -> Iterator[str]:
    """Say which of *options* the profile does not allow."""
    bad: dict[str, bool] = {
        "response_type = 'code'": options.response_type != "code",
        f"auth = {' or '.join(map(repr, _AUTH))}": options.auth not in _AUTH,
        "dpop = 'required', or a certificate": (
            options.dpop != "required" and options.certificate is None
        ),
        "pkce = 'S256'": options.pkce != "S256",
        "pushed requests, not par = 'off'": options.par == "off",
        "pushed requests, not request_object = 'reference'": (
            options.request_object == "reference"
        ),
        "answers with iss, not iss_required = false": options.iss_required is False,
        "signatures, not allow_alg_none": options.allow_alg_none,
        "ID tokens for us alone, not id_token_audiences": bool(
            options.id_token_audiences
        ),
        "the issuer as assertion_audience": (
            options.assertion_audience not in (None, options.issuer)
        ),
    }
    for name in _ALGORITHMS:
        others = weak_algorithms(getattr(options, f"{name}_algorithms"))
        bad[f"{name}_algorithms without {', '.join(others)}"] = bool(others)
    for wanted, wrong in bad.items():
        if wrong:
            yield f"profile = 'fapi2' needs {wanted}"


def weak_algorithms(algorithms: Iterable[str]) -> list[str]:
    """Give those of *algorithms* that the profile does not allow (section 5.4.1)."""
    return sorted(set(algorithms) - FAPI_ALGORITHMS)
