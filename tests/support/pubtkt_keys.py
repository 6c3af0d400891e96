"""Keys of login servers that make tickets; made anew for each run."""

from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.dsa import (
    DSAParameterNumbers,
    DSAParameters,
)
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from sso_proxy.specs.pubtkt_keys import (
    SigningKey,
    VerifyingKey,
    read_signing_key,
    read_verifying_key,
)

_PARAMETERS = {
    1024: (
        (
            "c28983f41f1b1842f26cad271ea89c85cb16139cd4e55fbaaba032b0cbea2d6b"
            "71bbef7948bc29d22940f28792bdc8f5cdb99ccbe302723c1c963e3bfcbf472f"
            "67c5d51deabfa90ccc1cd0cf0af0510d4f67da125e46b4e4e0bb8d7b4e24a430"
            "99a742ae48eb338e24fbb3625874de089d32a6e6844516872189a584b92365b7"
        ),
        "e3d90357214f41b3a999df6b5f24c69532818310281f4040850bb74f",
        (
            "86ebd7f3712813775c6fc3c6444d25adc2bc07f3847f30d2b3bfef01680c0c04"
            "e1132ad079282968da129c44406e6f343faa39a4855c9894612c798a05cc234e"
            "47ae3eb4fc4de2a948efe6b7e664c10bc1b4fa065a839e683cbcef5e84c6f09b"
            "42ac2734e8a1b68d9f5a82a3e46822792b548770f24e95ddf0d528ec4e060d4b"
        ),
    ),
    2048: (
        (
            "d221bdc96132875438c55aad1b98ade14281e78c70dcdcc9923744f69422c530"
            "211edaa8b9931e78a21a5ceff8004f76a0dfd0273a316b5440cafa4e8a75eec6"
            "c7b97de6433a5af27ffd689edb55a4e5c5eb5ca5997e740778c58a0f4f5c019b"
            "1f0609eb063956dce99a812e230128ff45ea45d64fe359f6e815d4fcffe5ecab"
            "5f2cf70e036d9c26711a5d62a9187f4323266ab1fd9303d1d03fd4c474e2da33"
            "225485a14abaad8f74953f77d417af85d8a0b9fab0f08d7bec523867cf44b066"
            "ee4760a37c22529334926de4d9f80513a071425c53fd58fda60bfa88f503a63e"
            "d3ec9635f10120b24dc0e019abd0247ff1d8cf2a79b7ad6847ee1f675cc71cd1"
        ),
        "8613b8be816db05bea983ff0b665cf53d9a9b810b3c7045c3c8cc507",
        (
            "cbb4d0e8fa5068ea1575e2a82d30d1eca055c510ca9b002b27ec1bf65d88744d"
            "9557cd6f78ea9051da4a570f8a461f056373d564020684a871cabb6f751cbb9f"
            "1a23e639d52b6684fe51a020946a3852f7fe9cf99f94b6ce157c425e308b2e75"
            "f42fbe1c62dafe105374b9536afd3611e42746e10acf7541a8bd5eaa64a68892"
            "d8b5e8b8cce6c6761d1acd89f6679711e1b1460f709b7d0194019f59a522d68c"
            "02ef9e269be5c99b4dc3df0a1b6e2af9ea9fc53b68f4abe1ef964aac7ea29525"
            "1c332c2ee39dbd0dcb80fac01726e0aa4a4bafd0e57eb169c0eb0e88d30873cb"
            "113b1bfdc75b6f7bd8db1efbbc68f2fbca9a60e620a991e65c89b1273ec3fd33"
        ),
    ),
}
"""p, q and g of DSA, in hex: they take seconds to find, and are no secret."""


@cache
def private_pem(name: str) -> bytes:
    """
    Make a private key.

    Args:
        name: ``rsa``, ``dsa``, ``ec`` or ``ed25519``, with bits if others than usual
            are wanted, and after a dot a further name for a further key.
    """
    kind = name.partition(".")[0]
    make: dict[str, Callable[[], PrivateKeyTypes]] = {
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "rsa1024": lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505
        "dsa": lambda: _parameters(2048).generate_private_key(),
        "dsa1024": lambda: _parameters(1024).generate_private_key(),
        "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }
    return make[kind]().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@cache
def signing_key(name: str, digest: str | None = None) -> SigningKey:
    """Give a key to sign tickets with."""
    return read_signing_key(private_pem(name), digest)


@cache
def public_pem(name: str) -> bytes:
    """Give the public half of a key."""
    key = load_pem_private_key(private_pem(name), None)
    return key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )


def verifying_key(name: str, digest: str | None = None) -> VerifyingKey:
    """Give what checks the tickets of a key."""
    return read_verifying_key(public_pem(name), digest)


def _parameters(bits: int) -> DSAParameters:
    p, q, g = (int(number, 16) for number in _PARAMETERS[bits])
    return DSAParameterNumbers(p, q, g).parameters()
