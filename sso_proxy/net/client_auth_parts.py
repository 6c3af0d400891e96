"""Files and secrets by which we prove to an authorization server who we are."""

from pathlib import Path
from typing import Protocol

import attrs

from sso_proxy.config.structure import join
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.net.http_client import ClientTls
from sso_proxy.net.tls.client import MaterialError, client_options
from sso_proxy.net.tls.material import MaterialReader
from sso_proxy.specs.jose.keys import KeyRefusedError
from sso_proxy.specs.jose.sign import SigningKey, read_signing_key
from sso_proxy.specs.oauth.client_auth import ClientAuth, build_credentials


class TlsFiles(Protocol):
    """Options that name files for TLS."""

    @property
    def ca(self) -> str | None:
        """Whom to trust."""

    @property
    def certificate(self) -> str | None:
        """Who we are."""

    @property
    def key(self) -> str | None:
        """Its private key."""


def read_tls(
    config: TlsFiles, path: str, *, crl: str | None = None, now: float = 0.0
) -> ClientTls | None:
    """
    Read our certificate, and whom to trust; None if that is as for all servers.

    Args:
        config: The names of the files.
        path: Where the options stand, for mistakes.
        crl: The file with revocation lists of these CAs, if they are to be checked.
        now: Seconds since the epoch: the lists have to be current.

    Raises:
        ConfigError: A file cannot be used.
    """
    names = {"ca": config.ca, "certificate": config.certificate, "key": config.key}
    contents = {
        option: read_file(name, join(path, option))
        for option, name in names.items()
        if name is not None
    }
    if crl is not None and config.ca is not None:
        contents["crl"] = read_file(crl, join(path, "crl"))
        _check_lists(config.ca, crl, path, now)
    if not contents:
        return None
    tls = ClientTls(**contents)
    for option, part in (
        ("ca", ClientTls(ca=tls.ca)),
        ("certificate", attrs.evolve(tls, ca=None, crl=None)),
    ):
        try:
            client_options("localhost", tls=part)
        except MaterialError as e:
            raise ConfigError(Mistake(join(path, option), str(e))) from None
    return tls


def _check_lists(ca: str, crl: str, path: str, now: float) -> None:
    """Check that each CA in the file *ca* has a current list in the file *crl*."""
    reader = MaterialReader(now=now)
    place = join(path, "crl")
    authorities = reader.authorities(join(path, "ca"), ca)
    reader.check_complete(place, authorities, reader.lists(place, crl), "ca")
    if reader.mistakes:
        raise ConfigError(*reader.mistakes)


def read_key(name: str, place: str, *, alg: str | None, kid: str | None) -> SigningKey:
    """
    Read a key that we sign with.

    Args:
        name: The file.
        place: The option that names it, for mistakes.
        alg: What to sign with; None for what the key says.
        kid: What the other side calls it; None for what the key says.

    Raises:
        ConfigError: The file cannot be used.
    """
    data = read_file(name, place)
    try:
        return read_signing_key(data, alg=alg, kid=kid)
    except KeyRefusedError as e:
        raise ConfigError(Mistake(place, f"cannot be used: {e.detail}")) from None


def check_client(client: ClientAuth, place: str) -> None:
    """
    Check that *client* has what its method needs.

    Args:
        client: Who we are.
        place: The option with its secret, for mistakes.

    Raises:
        ConfigError: The secret is too short to sign with.
    """
    try:
        build_credentials(client, now=0.0, unique="")
    except KeyRefusedError as e:
        raise ConfigError(Mistake(place, e.detail)) from None


def read_file(name: str, place: str) -> bytes:
    """
    Read the file *name* that the option at *place* names.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return Path(name).read_bytes()
    except OSError as e:
        problem = f"cannot be read: {e.strerror}"
        raise ConfigError(Mistake(place, problem)) from e
