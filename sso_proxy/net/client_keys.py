"""
Our own keys, by which providers know us and for which they encrypt.

Private halves stay here; public ones go to the provider as JWK Set (RFC 7517).
"""

from collections.abc import Sequence
from typing import Final

import attrs

from sso_proxy.config.structure import join
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.net.client_auth_parts import read_file, read_key
from sso_proxy.specs.jose.decrypt import DecryptionKeys, read_decryption_keys
from sso_proxy.specs.jose.decryption_key import DecryptionKey
from sso_proxy.specs.jose.keys import KeyRefusedError
from sso_proxy.specs.jose.public_jwk import (
    PublicKey,
    check_names,
    public_members,
    thumbprint,
)
from sso_proxy.specs.jose.sign import SigningKey

_NO_KEYS: Final = DecryptionKeys(())


@attrs.frozen(kw_only=True)
class ClientKeys:
    """
    The keys that we have toward one provider.

    Attributes:
        signing: For client assertions and request objects.  The first signs; the
            others are ones that signed before, or will.
        decryption: For what is encrypted to us; any of them may be meant.
        public: The public halves of all of these.
    """

    signing: tuple[SigningKey, ...] = ()
    decryption: DecryptionKeys = _NO_KEYS
    public: tuple[PublicKey, ...] = ()


def read_client_keys(  # noqa: PLR0913
    *,
    signing: Sequence[str] = (),
    alg: str | None = None,
    kid: str | None = None,
    decryption: Sequence[str] = (),
    path: str = "",
    option: str = "signing_keys",
) -> ClientKeys:
    """
    Read the files with our keys, each of which has one private key in PEM or as JWK.

    A key that does not say what it is called is called by its thumbprint (RFC 7638).

    Args:
        signing: Files of the option *option*.
        alg: What these sign with; None for what each says.
        kid: What the provider calls the first; None for what it says.
        decryption: Files of the option ``decryption_keys``.
        path: Where the options stand, for mistakes.
        option: What that for *signing* is called.

    Raises:
        ConfigError: A file cannot be used, or two keys have the same name.
    """
    names = [kid] + [None] * len(signing)
    signers = [
        _read_signer(file, join(join(path, option), place), alg, names[place])
        for place, file in enumerate(signing)
    ]
    openers = [
        _read_opener(file, join(join(path, "decryption_keys"), place))
        for place, file in enumerate(decryption)
    ]
    public = (*(key for _, key in signers), *(key for _, key in openers))
    try:
        check_names(public)
    except ValueError as e:
        raise ConfigError(Mistake(path, str(e))) from None
    return ClientKeys(
        signing=tuple(key for key, _ in signers),
        decryption=DecryptionKeys(tuple(key for key, _ in openers)),
        public=public,
    )


def _read_signer(
    file: str, place: str, alg: str | None, kid: str | None
) -> tuple[SigningKey, PublicKey]:
    """Read a key that we sign with; give its halves."""
    key = read_key(file, place, alg=alg, kid=kid)
    public = _public_half(read_file(file, place), place)
    key = attrs.evolve(key, kid=key.kid or thumbprint(public))
    return key, {**public, "kid": str(key.kid), "use": "sig", "alg": key.alg}


def _read_opener(file: str, place: str) -> tuple[DecryptionKey, PublicKey]:
    """Read a key that others encrypt to; give its halves."""
    data = read_file(file, place)
    try:
        keys = read_decryption_keys(data).keys
    except KeyRefusedError as e:
        raise ConfigError(Mistake(place, f"cannot be used: {e.detail}")) from None
    if len(keys) != 1:
        raise ConfigError(Mistake(place, "has several keys; one file is for one key"))
    public = _public_half(data, place)
    # One that does not say its name may be known to the provider by any: then it is
    # found by what it is for.
    key = attrs.evolve(keys[0], thumbprint=thumbprint(public))
    described = {**public, "kid": key.kid or str(key.thumbprint), "use": "enc"}
    if len(key.algs) == 1:
        described["alg"] = next(iter(key.algs))
    return key, described


def _public_half(data: bytes, place: str) -> dict[str, str]:
    """Give the members of a key's public half."""
    try:
        return public_members(data)
    except KeyRefusedError as e:
        raise ConfigError(Mistake(place, f"cannot be used: {e.detail}")) from None
