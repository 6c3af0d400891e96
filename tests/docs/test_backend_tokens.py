"""docs/formats/backend-tokens.md lists what is in tokens for backends."""

import json
import re
from base64 import urlsafe_b64decode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from jwcrypto.jwk import JWK

from sso_proxy.model import Caller
from sso_proxy.testing import outcome_of
from sso_proxy.testing.fakes import NOW, FakeTools, make_identity, make_request
from sso_proxy.token import Audience, Token
from sso_proxy.tokens.jwt import JwtSource
from sso_proxy.tokens.jwt_config import OURS, JwtTokenConfig

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "backend-tokens.md"
ROWS = re.findall(r"^\| (`.*?`) \| (.*?) \|", PAGE.read_text("utf-8"), re.MULTILINE)


def names(when: str = "") -> set[str]:
    return {
        name
        for listed, condition in ROWS
        if when in condition
        for name in re.findall(r"`(\w+)`", listed)
    }


def claims(directory: Path, **options: object) -> set[str]:
    key = JWK.from_pyca(ec.generate_private_key(ec.SECP256R1()))
    file = directory / "key.pem"
    file.write_bytes(key.export_to_pem(private_key=True, password=None))
    config = JwtTokenConfig(
        issuer="https://sso.example.com",
        keys=(str(file),),
        **options,  # type: ignore[arg-type]
    )
    given = {"auth_time": int(NOW), "acr": "gold", "amr": ["pwd"]}
    identity = make_identity(scopes=["a"], claims=given if options else {})
    audience = Audience(name="urn:a", thumbprint="t" if options else "")
    caller = Caller(request=make_request(), identity=identity, user="alice")
    source = JwtSource.from_config(config, FakeTools())
    token = outcome_of(source.token_for(caller, audience))
    assert isinstance(token, Token)
    header, payload, _ = token.value.split(".")
    assert set(json.loads(urlsafe_b64decode(header + "=="))) == {"alg", "kid", "typ"}
    return set(json.loads(urlsafe_b64decode(payload + "==")))


def test_a_token_has_what_it_always_has(tmp_path: Path) -> None:
    assert claims(tmp_path) == names("always") | {"jti"}


def test_a_token_may_have_all_that_is_listed(tmp_path: Path) -> None:
    every = claims(tmp_path, idp=True, typ="at+jwt", scope=("*",), act="add")
    assert every == names()
    assert names() | {"nbf"} == OURS
