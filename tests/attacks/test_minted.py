"""Whatever is in a caller's token, ours says what we say, and stays in its place."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from jwcrypto.jwk import JWK

from sso_proxy.model import Caller, Identity
from sso_proxy.net.client_keys import ClientKeys
from sso_proxy.specs.jose.compact import split_compact
from sso_proxy.specs.jose.keys import KeySet, read_jwks
from sso_proxy.specs.jose.public_jwk import jwks_document
from sso_proxy.specs.jose.sign import read_signing_key
from sso_proxy.specs.jose.verify import check_signature
from sso_proxy.testing import outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import NOW, make_identity, make_request
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.jwt import JwtSource
from sso_proxy.tokens.jwt_config import OURS, JwtTokenConfig

KEY: Final = JWK.from_pyca(ec.generate_private_key(ec.SECP256R1()))
PEM: Final = KEY.export_to_pem(private_key=True, password=None)
PUBLIC: Final = {**KEY.export_public(as_dict=True), "kid": "k", "use": "sig"}
KEYS: Final[KeySet] = read_jwks(jwks_document([PUBLIC]))
SIGNING: Final = ClientKeys(signing=(read_signing_key(PEM, kid="k"),), public=(PUBLIC,))
CONFIG: Final = JwtTokenConfig(
    issuer="https://sso.example.com",
    keys=("k",),
    claims=("email", "groups"),
    claim_names={"realm.roles": "roles"},
    scope=("read",),
    act="add",
    jti=False,
)
TAKEN: Final = frozenset({"email", "groups", "roles"})
AUDIENCE: Final = Audience(name="https://orders.example.com")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from([*OURS, *TAKEN, "realm", "alg", "kid"]) | st.text(max_size=6)
claims = st.dictionaries(names, values, max_size=8)


def mint(identity: Identity) -> Token | NotIssued:
    source = JwtSource(CONFIG, SIGNING, SettableClock(), lambda: "unused")
    caller = Caller(request=make_request(), identity=identity, user="alice")
    found: Token | NotIssued = outcome_of(source.token_for(caller, AUDIENCE))
    return found


@settings(max_examples=40)
@given(theirs=claims, scopes=st.lists(st.text(max_size=8), max_size=3))
def test_no_claim_of_a_caller_takes_the_place_of_ours(
    theirs: Mapping[str, Any], scopes: list[str]
) -> None:
    token = mint(make_identity(claims=theirs, scopes=scopes))
    if isinstance(token, NotIssued):
        assert token.reason in {"token-actor", "token-claims"}
        return
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", token.value)
    jws = split_compact(token.value)
    check_signature(jws, KEYS)
    said = json.loads(jws.payload)
    ours = {
        "iss": CONFIG.issuer,
        "aud": AUDIENCE.name,
        "sub": "alice",
        "iat": int(NOW),
        "exp": int(NOW) + CONFIG.lifetime,
    }
    assert {name: said[name] for name in ours} == ours
    assert said["act"]["sub"] == CONFIG.issuer
    assert said.get("scope") in {None, "read"}
    known = TAKEN | {"act", "scope", "auth_time", "acr", "amr"}
    assert set(said) <= known | set(ours)


@settings(max_examples=40)
@given(first=claims, second=claims)
def test_two_callers_never_share_a_token(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> None:
    """What is kept for one is given to nobody of whom it would not be true."""
    source = JwtSource(CONFIG, SIGNING, SettableClock(), lambda: "unused")

    def said(given_claims: Mapping[str, Any]) -> object:
        identity = make_identity(claims=given_claims)
        caller = Caller(request=make_request(), identity=identity, user="alice")
        kept = outcome_of(source.token_for(caller, AUDIENCE))
        fresh = mint(identity)
        if isinstance(fresh, NotIssued):
            return kept == fresh
        assert isinstance(kept, Token)
        return split_compact(kept.value).payload == split_compact(fresh.value).payload

    assert said(first)
    assert said(second)
    assert said(first)
