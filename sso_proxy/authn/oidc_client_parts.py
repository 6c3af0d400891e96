"""What asks a provider, made of its options."""

import secrets
from collections.abc import Callable
from typing import Any, Final

import attrs

from sso_proxy.authn.oidc_client_config import ClientConfig
from sso_proxy.config.structure import join
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IClock
from sso_proxy.net.client_auth_parts import read_tls
from sso_proxy.net.client_identity import noting, read_clients, read_dpop_key
from sso_proxy.net.client_keys import ClientKeys, read_client_keys
from sso_proxy.net.http_client import ClientTls, HttpClient
from sso_proxy.net.jwks import FixedKeys, JwksSource
from sso_proxy.net.metadata import IssuerSource
from sso_proxy.net.provider import KeySource, ProviderAccess, ProviderClient
from sso_proxy.net.provider_link import ClientIdentity
from sso_proxy.specs.jose.keys import KeySet
from sso_proxy.specs.oauth.urls import UrlRefusedError
from sso_proxy.specs.oidc.metadata import (
    EndpointOverrides,
    ProviderRefusedError,
    check_overrides,
    login_endpoints,
)

_NO_OVERRIDES: Final = EndpointOverrides()

Shared = Callable[[tuple[Any, ...], Callable[[], Any]], Any]
"""``ITools.shared``."""


def _anew(_key: tuple[Any, ...], make: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Make it: there was nothing before."""
    return make()


@attrs.frozen(kw_only=True)
class ProviderParts:
    """
    What is made of a client's options.

    Attributes:
        client: Asks the provider.
        keys: Ours: what signs request objects, and what decrypts ID tokens.
    """

    client: ProviderClient
    keys: ClientKeys


def build_provider(  # noqa: PLR0913 - one keyword for each thing it depends on
    config: ClientConfig,
    *,
    issuer: str,
    http_client: HttpClient,
    clock: IClock,
    overrides: EndpointOverrides = _NO_OVERRIDES,
    discover: bool = True,
    metadata_url: str | None = None,
    path: str = "",
    codes: bool = True,
    pkce: bool = True,
    shared: Shared = _anew,
) -> ProviderParts:
    """
    Build what asks *issuer* as *config* says.

    Args:
        config: The options.
        issuer: The provider: the ``aud`` of what we sign, if no other is configured.
        http_client: Sends the requests.
        clock: The time.
        overrides: Endpoints that the operator names.
        discover: The provider publishes metadata; else *overrides* are all there is.
        metadata_url: Where it publishes them; None for the well-known places.
        path: Where the options stand, for mistakes.
        codes: Codes have to become tokens: the provider needs an endpoint for that.
        pkce: Codes are asked for with a challenge.
        shared: Gives what a configuration before this one has made already
            (``ITools.shared``): the provider may be down just then.

    Raises:
        ConfigError: Files, secrets, endpoints or the issuer cannot be used: all that
            is wrong.
    """
    mistakes: list[Mistake] = []
    keys, tls, proof_key, source = ClientKeys(), None, None, None
    with noting(mistakes):
        keys = read_client_keys(
            signing=config.signing_keys,
            alg=config.signing_alg,
            kid=config.signing_kid,
            decryption=config.decryption_keys,
            path=path,
        )
    with noting(mistakes):
        tls = read_tls(config, path)
    with noting(mistakes):
        proof_key = read_dpop_key(config, path)
    with noting(mistakes):
        _check_endpoints(overrides, issuer, path, complete=not discover, codes=codes)
    clients = read_clients(config, keys, issuer, path, mistakes)
    # Keys are for everybody to see: our certificate is not shown for them.
    trust = None if tls is None or tls.ca is None else ClientTls(ca=tls.ca)
    if discover:
        try:
            source = shared(
                ("IssuerSource", issuer, http_client, trust, metadata_url),
                lambda: IssuerSource(issuer, http_client, clock, trust, metadata_url),
            )
            # A reload is how operators say that a provider has changed.
            source.expire()
        except UrlRefusedError as e:
            mistakes.append(Mistake(join(path, "issuer"), e.detail))
    if mistakes:
        raise ConfigError(*mistakes)
    access = ProviderAccess(
        issuer=issuer,
        identity=ClientIdentity(
            clients=clients, tls=tls, proof_key=proof_key, within=config.timeout
        ),
        keys=_key_source(overrides, source, http_client, clock, trust, shared),
        metadata=source,
        overrides=overrides,
        bound=config.dpop == "required",
        token_params=config.token_params,
        userinfo_in_body=config.userinfo_method == "body",
        codes=codes,
        pkce=pkce,
    )
    client = ProviderClient(
        access, http_client, clock, lambda: secrets.token_urlsafe(16)
    )
    return ProviderParts(client=client, keys=keys)


def _check_endpoints(
    overrides: EndpointOverrides,
    issuer: str,
    path: str,
    *,
    complete: bool,
    codes: bool,
) -> None:
    """Check the endpoints that the operator names."""
    wrong = check_overrides(overrides)
    if wrong:
        raise ConfigError(*(Mistake(join(path, n), text) for n, text in wrong.items()))
    if complete:
        try:
            login_endpoints(None, overrides, issuer=issuer, codes=codes)
        except ProviderRefusedError as e:
            raise ConfigError(Mistake(path, e.detail)) from None


def _key_source(  # noqa: PLR0913, PLR0917
    overrides: EndpointOverrides,
    source: IssuerSource | None,
    http_client: HttpClient,
    clock: IClock,
    trust: ClientTls | None,
    shared: Shared,
) -> KeySource:
    """Make what finds the provider's keys."""
    url = overrides.jwks
    if url:
        found: KeySource = shared(
            ("JwksSource", url, http_client, trust),
            lambda: JwksSource(url, http_client, clock, trust),
        )
        return found
    if source is not None and overrides.jwks is None:
        return source
    return FixedKeys(KeySet(()))
