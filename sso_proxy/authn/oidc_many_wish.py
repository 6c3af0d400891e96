"""What we ask to be registered as, by a provider's options, and what comes of it."""

from collections.abc import Sequence
from typing import Any, Final, get_args

import attrs

from sso_proxy.authn.oidc_many_config import ProviderConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.net.client_config import ServerAuth
from sso_proxy.specs.oauth.metadata import ServerMetadata
from sso_proxy.specs.oauth.registration import (
    ClientWish,
    Registration,
    choose_auth,
    needs_secret,
)

_METHODS: Final = frozenset(get_args(ServerAuth))


@attrs.frozen(kw_only=True)
class Places:
    """
    Where browsers and providers find us.

    Attributes:
        name: The authenticator's.
        origins: The origins by which browsers know us.
        endpoints: Where our endpoints are there.
    """

    name: str
    origins: Sequence[str]
    endpoints: str

    def urls(self, what: str, *, ours: bool = True) -> tuple[str, ...]:
        """Give the URLs of one endpoint; *ours*: it has our name behind it."""
        rest = f"{what}/{self.name}" if ours else what
        return tuple(f"{origin}{self.endpoints}{rest}" for origin in self.origins)


def build_wish(
    config: ProviderConfig,
    places: Places,
    metadata: ServerMetadata | None,
    *,
    fixed_auth: bool,
) -> dict[str, Any]:
    """
    Give the members of a registration.

    Args:
        config: The options.
        places: Where we are.
        metadata: What the provider says of itself; None: nothing.
        fixed_auth: The options say how we authenticate; else it is the best that the
            provider has.

    Raises:
        RegistrationError: The provider has no way to authenticate that we could use.
    """
    auth: str = config.auth
    if not fixed_auth:
        offered = (
            () if metadata is None else metadata.token_endpoint_auth_methods_supported
        )
        auth = choose_auth(offered, with_key=bool(config.signing_keys))
    keys = bool(config.signing_keys or config.decryption_keys)
    single = len(config.id_token_algorithms) == 1
    wish = ClientWish(
        redirect_uris=(config.redirect_uri,)
        if config.redirect_uri
        else places.urls("callback"),
        response_types=(config.response_type,),
        auth_method=auth,
        auth_algorithm=config.signing_alg if auth == "private_key_jwt" else None,
        client_name=config.client_name,
        jwks_uri=places.urls("jwks", ours=False)[0]
        if keys and places.origins
        else None,
        initiate_login_uri=_first(places.urls("login", ours=False)),
        post_logout_redirect_uris=places.urls("logout/done", ours=False),
        frontchannel_logout_uri=_first(places.urls("logout/frontchannel")),
        backchannel_logout_uri=_first(places.urls("logout/backchannel")),
        id_token_algorithm=config.id_token_algorithms[0] if single else None,
        bound_tokens=config.certificate is not None,
        dpop_bound_tokens=config.dpop == "required",
        par_required=config.par == "on",
        scope=config.scope,
        more=config.registration,
    )
    return wish.as_json()


def apply_registration(
    config: ProviderConfig, registration: Registration
) -> ProviderConfig:
    """
    Give the options with what a registration has brought.

    Args:
        config: The options.
        registration: The registration.

    Raises:
        UnavailableError: They do not go together.
    """
    auth: Any = registration.auth_method or config.auth  # checked with the others
    secret = registration.client_secret
    try:
        if auth not in _METHODS:
            raise ValueError(f"token_endpoint_auth_method {auth!r} is not known")  # noqa: TRY301
        return attrs.evolve(
            config,
            client_id=registration.client_id,
            auth=auth,
            client_secret=Secret(secret) if secret and needs_secret(auth) else None,
        )
    except (ValueError, KeyError) as e:
        what = f"registration with {config.issuer}: {e}"
        raise UnavailableError(what) from None


def _first(urls: tuple[str, ...]) -> str | None:
    return urls[0] if urls else None
