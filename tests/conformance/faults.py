"""
What the provider does wrong, by the names of rows.toml.

A fault is a function that takes a good `Provider` and changes one thing about it.
Faults that a browser makes, or that need two providers, are the tests' own: `SCENES`.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from sso_proxy.testing.tokens import TokenSigner
from tests.conformance.parts import Change, Fields, Reply, b64, unb64
from tests.conformance.provider import Provider
from tests.conformance.serving import now
from tests.conformance.tokens import Encryption, signer, unsigned

Fault = Callable[[Provider], None]

FAULTS: Final[dict[tuple[str, str], Fault]] = {}
SCENES: Final = frozenset(
    {
        ("discovery", "webfinger-http-href"),
        ("authorization_response", "state-of-another-browser"),
        ("authorization_response", "state-reused"),
        ("authorization_response", "code-of-another-provider"),
    }
)
WEEK: Final = 7 * 86400
ENDLESS: Final = 600.0


def _fault(group: str, name: str) -> Callable[[Fault], Fault]:
    def add(fault: Fault) -> Fault:
        assert (group, name) not in FAULTS
        FAULTS[group, name] = fault
        return fault

    return add


def _changing(group: str, step: str, **changes: Change) -> None:
    """Add faults that change one step; underscores in names are hyphens."""

    def make(change: Change) -> Fault:
        return lambda provider: provider.changes.add(step, change)

    for name, change in changes.items():
        _fault(group, name.replace("_", "-"))(make(change))


def _with(**members: object) -> Change:
    """Make a change of some members; None takes one out."""

    def change(claims: Mapping[str, Any], _grant: object) -> dict[str, Any]:
        changed = {**claims, **members}
        return {name: value for name, value in changed.items() if value is not None}

    return change


def _moved(**seconds: int) -> Change:
    """Make a change of some times, in seconds from now."""

    def change(claims: Mapping[str, Any], grant: object) -> dict[str, Any]:
        later: Mapping[str, object] = {k: now() + s for k, s in seconds.items()}
        changed: dict[str, Any] = _with(**later)(claims, grant)
        return changed

    return change


def _broken(text: str, _grant: object = None) -> str:
    """Change one octet in the middle of a signature."""
    head, _, signature = text.rpartition(".")
    octets = bytearray(unb64(signature))
    octets[len(octets) // 2] ^= 1
    return f"{head}.{b64(bytes(octets))}"


# What ID tokens say

_CLAIM_FAULTS: Final[Mapping[str, Change]] = {
    "nonce_invalid": _with(nonce="another-nonce-of-some-length"),
    "nonce_missing": _with(nonce=None),
    "invalid_iss": lambda claims, _: {**claims, "iss": claims["iss"] + "1"},
    "missing_iss": _with(iss=None),
    "missing_sub": _with(sub=None),
    "invalid_aud": _with(aud="another-client"),
    "missing_aud": _with(aud=None),
    "invalid_secondary_aud": lambda claims, _: {
        **claims,
        "aud": [claims["aud"], "another-client"],
    },
    "azp_mismatch": _with(azp="another-client"),
    "missing_iat": _with(iat=None),
    "iat_in_future": _moved(iat=3600, exp=7200),
    "iat_week_in_past": _moved(iat=-WEEK),
    "expired": _moved(iat=-7200, exp=-3600),
    "missing_exp": _with(exp=None),
    "exp_not_a_number": lambda claims, _: {**claims, "exp": str(claims["exp"])},
    "exp_1e300": _with(exp=1e300),
    "at_hash_invalid": _with(at_hash=b64(bytes(16))),
    "at_hash_missing": _with(at_hash=None),
    "c_hash_invalid": _with(c_hash=b64(bytes(16))),
    "c_hash_missing": _with(c_hash=None),
    "s_hash_invalid": _with(s_hash=b64(bytes(16))),
}
_changing("id_token", "id_token_claims", **_CLAIM_FAULTS)


# How they are signed


def _signed_by(provider: Provider, make: Callable[[str, dict[str, Any]], str]) -> None:
    """Have ID tokens made by *make*, of the key's name and the claims."""

    def change(text: str, _grant: object) -> str:
        claims = json.loads(unb64(text.split(".")[1]))
        return make(str(provider.keys["RS256"].kid), claims)

    provider.changes.add("id_token", change)


@_fault("id_token", "invalid-sig-rs256")
def _(provider: Provider) -> None:
    provider.changes.add("id_token", _broken)


@_fault("id_token", "invalid-sig-es256")
def _(provider: Provider) -> None:
    provider.alg = "ES256"
    provider.changes.add("id_token", _broken)


@_fault("id_token", "invalid-sig-hs256")
def _(provider: Provider) -> None:
    provider.alg = "HS256"
    provider.changes.add("id_token", _broken)


for _name, _alg in (("sig-none", "none"), ("alg-none-mixed-case", "nOnE")):

    @_fault("id_token", _name)
    def _(provider: Provider, alg: str = _alg) -> None:
        _signed_by(provider, lambda _kid, claims: unsigned({"alg": alg}, claims))


@_fault("id_token", "unpinned-alg")
def _(provider: Provider) -> None:
    provider.alg = "PS256"


@_fault("id_token", "rs256-with-ec-key")
def _(provider: Provider) -> None:
    ec = provider.keys["ES256"]
    _signed_by(provider, lambda _kid, claims: ec.sign(claims, alg="RS256"))


@_fault("id_token", "hs256-with-public-key")
def _(provider: Provider) -> None:
    public = provider.keys["RS256"].public_pem()
    mac = TokenSigner.of_secret(public)
    _signed_by(provider, lambda kid, claims: mac.sign(claims, kid=kid, typ="JWT"))


@_fault("id_token", "key-from-jku")
def _(provider: Provider) -> None:
    stranger, url = signer("RS256", "stranger"), provider.at("strangers-keys")
    _signed_by(provider, lambda _kid, claims: stranger.sign(claims, jku=url))


@_fault("id_token", "embedded-jwk")
def _(provider: Provider) -> None:
    stranger = signer("RS256", "stranger")
    jwk = stranger.public_jwk()
    _signed_by(provider, lambda kid, claims: stranger.sign(claims, kid=kid, jwk=jwk))


@_fault("id_token", "unknown-crit")
def _(provider: Provider) -> None:
    provider.changes.add("id_token_header", _with(crit=["must"], must="yes"))


@_fault("id_token", "unknown-kid")
def _(provider: Provider) -> None:
    provider.changes.add("id_token_header", _with(kid="nobody-knows"))


@_fault("id_token", "duplicate-header-member")
def _(provider: Provider) -> None:
    key = provider.keys["RS256"]

    def make(kid: str, claims: dict[str, Any]) -> str:
        header = f'{{"alg":"RS256","kid":"{kid}","kid":"{kid}"}}'
        return key.sign_octets(header.encode(), json.dumps(claims).encode())

    _signed_by(provider, make)


@_fault("id_token", "five-parts-for-signed")
def _(provider: Provider) -> None:
    provider.changes.add("id_token", lambda text, _: f"{text}.{b64(b'a')}.{b64(b'b')}")


# How they are encrypted


def client_key() -> dict[str, Any]:
    """Give the public key that the client has ID tokens encrypted to."""
    return signer("RS256", "client-enc").public_jwk(use="enc", alg=None)


@_fault("id_token", "zip-bomb")
def _(provider: Provider) -> None:
    more = {"zip": "DEF"}
    provider.encryption = Encryption(key=client_key(), alg="RSA-OAEP-256", more=more)
    provider.changes.add("id_token_claims", _with(padding="0" * 3_000_000))


@_fault("id_token", "rsa1_5-encryption")
def _(provider: Provider) -> None:
    provider.encryption = Encryption(key=client_key(), alg="RSA1_5")


@_fault("id_token", "truncated-gcm-tag")
def _(provider: Provider) -> None:
    provider.encryption = Encryption(key=client_key(), alg="RSA-OAEP-256")

    def cut(text: str, _grant: object) -> str:
        head, _, tag = text.rpartition(".")
        return f"{head}.{b64(unb64(tag)[:4])}"

    provider.changes.add("id_token", cut)


# UserInfo

_changing(
    "userinfo",
    "userinfo",
    invalid_sub=lambda claims, _: {**claims, "sub": claims["sub"] + "invalid"},
    missing_sub=_with(sub=None),
    array_body=lambda claims, _: [claims],
    string_body=lambda _claims, _: "alice",
)
_changing(
    "userinfo",
    "userinfo_reply",
    wrong_content_type=lambda reply, _: attrs.evolve(reply, content_type="text/html"),
    error_401=lambda _reply, _: Reply(status=401, body=b'{"error":"invalid_token"}'),
    redirect=lambda _reply, grant: _elsewhere(grant),
    ten_megabytes=lambda reply, _: attrs.evolve(
        reply, body=reply.body[:-1] + b',"a":"' + b"0" * 10_000_000 + b'"}'
    ),
)


def _elsewhere(_grant: object) -> Reply:
    return Reply(status=302, headers=(("Location", "https://localhost:9/elsewhere"),))


@_fault("userinfo", "wrong-signature")
def _(provider: Provider) -> None:
    provider.userinfo_alg = "RS256"
    provider.changes.add("userinfo_body", lambda it, _: (_broken(it[0]), it[1]))


@_fault("userinfo", "wrong-aud")
def _(provider: Provider) -> None:
    provider.userinfo_alg = "RS256"
    provider.changes.add("userinfo", _with(aud="another-client"))


# The authorization response


def _fields(**changes: str | None) -> Change:
    """Make a change of some fields; None takes one out."""

    def change(fields: Fields, _grant: object) -> Fields:
        merged = [(name, changes.get(name, value)) for name, value in fields]
        return tuple((name, value) for name, value in merged if value is not None)

    return change


def _twice(name: str) -> Change:
    return lambda fields, _: (*fields, *(f for f in fields if f[0] == name))


_changing(
    "authorization_response",
    "answer",
    state_invalid=_fields(state="another-state-of-some-length"),
    state_missing=_fields(state=None),
    iss_invalid=_fields(iss="https://localhost:9/another"),
    iss_missing_though_advertised=_fields(iss=None),
    duplicate_code=_twice("code"),
    duplicate_state=_twice("state"),
    token_in_query=lambda fields, _: (
        *fields,
        ("access_token", "a-token"),
        ("token_type", "bearer"),
    ),
    error_login_required_form_post=lambda fields, _: (
        ("error", "login_required"),
        *fields[1:],
    ),
)
_changing(
    "authorization_response",
    "answer_mode",
    wrong_response_mode=lambda mode, _: "query" if mode == "form_post" else "form_post",
)


# The token response

_changing(
    "token_response",
    "token",
    token_type_unknown=_with(token_type="mac"),
    missing_id_token=_with(id_token=None),
    missing_access_token=_with(access_token=None),
    error_200=lambda _members, _: {"error": "invalid_grant"},
)
_changing(
    "token_response",
    "token_reply",
    not_json=lambda reply, _: attrs.evolve(reply, body=b"access_token=a&token_type=b"),
    wrong_content_type=lambda reply, _: attrs.evolve(reply, content_type="text/html"),
    redirect=lambda _reply, grant: _elsewhere(grant),
    slow=lambda reply, _: attrs.evolve(reply, wait=ENDLESS),
    truncated=lambda reply, _: attrs.evolve(reply, body=reply.body[:-20], lacks=20),
)


class _EverNew(dict[str, str]):
    """Nonces that nobody can know."""

    def __init__(self) -> None:
        super().__init__(token="n")
        self._number = 0

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401
        self._number += 1
        return f"nonce-{self._number}" if key in self else default


@_fault("token_response", "dpop-nonce-endless")
def _(provider: Provider) -> None:
    provider.nonces = _EverNew()


# JARM

_changing(
    "jarm",
    "jarm_claims",
    without_iss=_with(iss=None),
    invalid_iss=lambda claims, _: {**claims, "iss": claims["iss"] + "1"},
    without_aud=_with(aud=None),
    invalid_aud=_with(aud="another-client"),
    without_exp=_with(exp=None),
    expired=_moved(exp=-3600),
)


@_fault("jarm", "invalid-sig")
def _(provider: Provider) -> None:
    provider.changes.add("jarm", _broken)


@_fault("jarm", "sig-none")
def _(provider: Provider) -> None:
    def strip(text: str, _grant: object) -> str:
        claims = json.loads(unb64(text.split(".")[1]))
        return unsigned({"alg": "none"}, claims)

    provider.changes.add("jarm", strip)


# Discovery

_changing(
    "discovery",
    "metadata",
    issuer_mismatch=lambda said, _: {**said, "issuer": said["issuer"] + "1"},
    issuer_missing=_with(issuer=None),
    http_endpoint=_with(token_endpoint="http://provider.example.com/token"),
)
_changing(
    "discovery",
    "metadata_reply",
    not_json=lambda reply, _: attrs.evolve(reply, body=b"<p>Hello"),
    redirect_elsewhere=lambda _reply, grant: _elsewhere(grant),
)


@_fault("discovery", "loops")
def _(provider: Provider) -> None:
    here = provider.at(".well-known/openid-configuration")
    around = Reply(status=302, headers=(("Location", here),))
    provider.changes.add("metadata_reply", lambda _reply, _grant: around)


# Refresh

SHORT: Final = 2
"""Seconds that access tokens are good for that are to be refreshed soon."""


def _at_refresh(change: Change) -> Change:
    return lambda it, grant: change(it, grant) if grant.refreshes else it


_changing(
    "refresh",
    "id_token_claims",
    id_token_invalid_iss=_at_refresh(_CLAIM_FAULTS["invalid_iss"]),
    id_token_invalid_sub=_at_refresh(_with(sub="mallory")),
)
_changing("refresh", "id_token", id_token_invalid_sig=_at_refresh(_broken))


def _said_at(refreshes: int) -> Change:
    """Refuse a refresh, from the one of that number on."""
    refused = Reply(status=400, body=b'{"error":"invalid_grant"}')
    return lambda reply, grant: reply if grant.refreshes < refreshes else refused


_changing(
    "refresh",
    "token_reply",
    rotated_token_reused=_said_at(2),
    error_invalid_grant=_said_at(1),
)
