"""A browser's device in tests: a key, and proofs that it is held (W3C DBSC)."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwcrypto.jwk import JWK

from sso_proxy.model import Headers, Response
from sso_proxy.specs.http.structured import InnerList, Item, read_item, read_list
from sso_proxy.specs.jose.sign import read_signing_key


class Device:
    """
    A key, and what can be signed with it.

    Args:
        algorithm: ``ES256`` or ``RS256``.

    Attributes:
        jwk: Its public half.
    """

    def __init__(self, algorithm: str = "ES256") -> None:
        key: Any = (
            ec.generate_private_key(ec.SECP256R1())
            if algorithm == "ES256"
            else rsa.generate_private_key(65537, 2048)
        )
        pair = JWK.from_pyca(key)
        self.algorithm = algorithm
        self.jwk: dict[str, str] = pair.export_public(as_dict=True)
        self.jwk.pop("kid", None)
        self.thumbprint: str = JWK(**self.jwk).thumbprint()
        self._key = read_signing_key(pair.export_private().encode(), alg=algorithm)

    def registration(
        self,
        challenge: str,
        authorization: str = "",
        **claims: Any,  # noqa: ANN401
    ) -> str:
        """Sign what registers the key."""
        if authorization:
            claims["authorization"] = authorization
        header = {"alg": self.algorithm, "jwk": self.jwk, "typ": "dbsc+jwt"}
        return self.sign(header, {"jti": challenge, **claims})

    def refresh(self, challenge: str, **claims: Any) -> str:  # noqa: ANN401
        """Sign what shows that the key is there still."""
        header = {"alg": self.algorithm, "typ": "dbsc+jwt"}
        return self.sign(header, {"jti": challenge, **claims})

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """Sign anything."""
        text = f"{_encode(header)}.{_encode(claims)}"
        signature = self._key.sign(text.encode())
        return f"{text}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def offered(headers: Headers) -> dict[str, str]:
    """Give what an answer offers to register: path, challenge, authorization."""
    for name, value in headers:
        if name == "secure-session-registration":
            (offer,) = read_list(value)
            assert isinstance(offer, InnerList)
            return {key: str(given) for key, given in offer.parameters}
    return {}


def challenged(response: Response) -> str:
    """Give the challenge of an answer; empty if it has none."""
    for name, value in response.headers:
        if name == "secure-session-challenge":
            item = read_item(value)
            assert isinstance(item, Item)
            assert isinstance(item.value, str)
            return item.value
    return ""


def instructed(response: Response) -> dict[str, Any]:
    """Give what an answer tells the browser to do."""
    document: dict[str, Any] = json.loads(response.body)
    return document


def _encode(value: Mapping[str, Any]) -> str:
    octets = json.dumps(dict(value)).encode()
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
