"""Who we are to an authorization server, made of our options."""

from collections.abc import Iterator
from contextlib import contextmanager

from sso_proxy.config.secrets import Secret
from sso_proxy.config.structure import join
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.net.client_auth_parts import check_client, read_file
from sso_proxy.net.client_config import ClientOptions
from sso_proxy.net.client_keys import ClientKeys
from sso_proxy.specs.jose.keys import KeyRefusedError
from sso_proxy.specs.oauth.client_auth import ClientAuth
from sso_proxy.specs.oauth.dpop_proof import ProofKey, read_proof_key


@contextmanager
def noting(mistakes: list[Mistake]) -> Iterator[None]:
    """Note what is wrong, so that the rest is heard, too."""
    try:
        yield
    except ConfigError as e:
        mistakes.extend(e.mistakes)


def read_clients(
    config: ClientOptions,
    keys: ClientKeys,
    issuer: str,
    path: str,
    mistakes: list[Mistake],
) -> tuple[ClientAuth, ...]:
    """Read who we are; with both secrets, while one is being changed."""
    if config.auth == "private_key_jwt" and not keys.signing:
        return ()  # noted already
    clients: list[ClientAuth] = []
    by_option: dict[str, Secret | None] = {"client_secret": config.client_secret}
    if config.client_secret_next is not None:
        by_option["client_secret_next"] = config.client_secret_next
    for option, given in by_option.items():
        client = ClientAuth(
            method=config.auth,
            client_id=config.client_id,
            secret="" if given is None else given.reveal(),
            key=keys.signing[0] if keys.signing else None,
            audience=config.assertion_audience or issuer,
            typ=config.assertion_typ,
        )
        with noting(mistakes):
            check_client(client, join(path, option))
            clients.append(client)
    return tuple(clients)


def read_dpop_key(config: ClientOptions, path: str) -> ProofKey | None:
    """Read what our tokens are bound to."""
    if config.dpop_key is None:
        return None
    place = join(path, "dpop_key")
    try:
        return read_proof_key(read_file(config.dpop_key, place), config.dpop_alg)
    except KeyRefusedError as e:
        raise ConfigError(Mistake(place, f"cannot be used: {e.detail}")) from None
