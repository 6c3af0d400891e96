"""What asks an issuer about tokens, made of its options."""

import re
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from sso_proxy.authn.introspection_config import IntrospectionConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.config.structure import join
from sso_proxy.errors import ConfigError, Mistake, UnavailableError
from sso_proxy.interfaces import IClock
from sso_proxy.net.client_auth_parts import check_client, read_key, read_tls
from sso_proxy.net.http_client import HttpClient
from sso_proxy.net.introspection import (
    IntrospectionEndpoint,
    Introspector,
    KeySource,
    SignedAnswers,
)
from sso_proxy.specs.jose.sign import SigningKey
from sso_proxy.specs.oauth.client_auth import ClientAuth
from sso_proxy.specs.oauth.metadata import ServerMetadata

_SENDABLE: Final = re.compile(r"[\x21-\x7E]+")


class MetadataSource(Protocol):
    """What an `IssuerSource` is to us."""

    async def metadata(self) -> ServerMetadata:
        """Give the issuer's metadata."""


def build_introspector(  # noqa: PLR0913 - one keyword for each thing it depends on
    config: IntrospectionConfig,
    *,
    issuer: str,
    http_client: HttpClient,
    clock: IClock,
    keys: KeySource | None = None,
    metadata: MetadataSource | None = None,
    decrypt: Callable[[str], bytes] | None = None,
    leeway: float = 10.0,
    path: str = "introspection",
) -> Introspector:
    """
    Build what asks as *config* says.

    Args:
        config: The options.
        issuer: Whom we ask, the ``aud`` of what we sign and the ``iss`` of answers.
        http_client: Sends the questions.
        clock: The time.
        keys: Where the issuer's keys are, for signed answers.
        metadata: Where the endpoint is found if *config* does not say it.
        decrypt: Gives the JWS inside an encrypted answer; None takes none.
        leeway: Seconds that the issuer's clock may differ from ours.
        path: Where the options stand, for mistakes.

    Raises:
        ConfigError: A file or a secret cannot be used, or keys are missing.
    """
    signed = None
    if config.answer == "jwt":
        if keys is None:
            problem = "'jwt' needs the issuer's keys: jwks_uri, for example"
            raise ConfigError(Mistake(join(path, "answer"), problem))
        signed = SignedAnswers(
            keys=keys,
            issuer=issuer,
            audience=config.answer_audience or config.client_id,
            algorithms=frozenset(config.answer_algorithms),
            leeway=leeway,
            decrypt=decrypt,
        )
    endpoint = IntrospectionEndpoint(
        name=(config.endpoint or issuer).partition("?")[0],
        find=_finder(config, metadata, path),
        client=_read_client(config, issuer, path),
        tls=read_tls(config, path),
        method=config.method,
        token_param=config.token_param,
        hint=config.token_type_hint,
        params=config.params,
        signed=signed,
        within=config.timeout,
        at_once=config.at_once,
    )
    return Introspector(endpoint, http_client, clock, lambda: secrets.token_urlsafe(16))


def _finder(
    config: IntrospectionConfig, metadata: MetadataSource | None, path: str
) -> Callable[[], Coroutine[Any, Any, str]]:
    """Make what says where to ask."""
    endpoint = config.endpoint
    if endpoint is not None:

        async def configured() -> str:
            return endpoint

        return configured
    if metadata is None:
        problem = "is missing; it must be the URL of the issuer's endpoint"
        raise ConfigError(Mistake(join(path, "endpoint"), problem))

    async def published() -> str:
        document = await metadata.metadata()
        certificate = config.certificate is not None
        url = document.endpoint("introspection_endpoint", certificate=certificate)
        if url is None:
            what = f"metadata of {document.issuer}: has no introspection_endpoint"
            raise UnavailableError(what)
        return url

    return published


def _read_client(config: IntrospectionConfig, issuer: str, path: str) -> ClientAuth:
    """Read who we are."""
    option = "bearer_token" if config.auth == "bearer" else "client_secret"
    given: Secret | None = getattr(config, option)
    secret = "" if given is None else given.reveal()
    if option == "bearer_token" and not _SENDABLE.fullmatch(secret):
        problem = "is no token: a header field cannot hold it"
        raise ConfigError(Mistake(join(path, option), problem))
    client = ClientAuth(
        method=config.auth,
        client_id=config.client_id,
        secret=secret,
        key=_read_assertion_key(config, path),
        audience=config.assertion_audience or issuer,
        typ=config.assertion_typ,
    )
    check_client(client, join(path, option))
    return client


def _read_assertion_key(config: IntrospectionConfig, path: str) -> SigningKey | None:
    """Read what we sign with."""
    if config.assertion_key is None:
        return None
    return read_key(
        config.assertion_key,
        join(path, "assertion_key"),
        alg=config.assertion_alg,
        kid=config.assertion_kid,
    )
