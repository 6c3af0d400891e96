"""What a provider may do, and a login has to bear: the accepted rows of rows.toml."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from tests.conformance.faults import client_key
from tests.conformance.parts import Change
from tests.conformance.provider import Provider
from tests.conformance.proxied import Case, World, with_certificate
from tests.conformance.tokens import Encryption, signer
from tests.support.running import eventually

RSA_ONLY: Final = 'id_token_algorithms = ["RS256"]'
DECRYPTING: Final = 'decryption_keys = ["client-enc.pem"]'
DPOP: Final = 'dpop = "required"\ndpop_key = "client-dpop.pem"'

Play = Callable[[World, str], None]


def log_in(world: World, name: str) -> None:
    """Log in once."""
    world.check_login(name)


@attrs.frozen(kw_only=True)
class Accepted:
    """
    A row.

    Attributes:
        case: The provider, and what the proxy is told of it.
        play: What has to go well.
    """

    case: Case
    play: Play = log_in


def _changing(step: str, change: Change) -> Case:
    return Case(
        prepare=lambda provider: provider.changes.add(step, change), options=RSA_ONLY
    )


def _with(step: str, **members: object) -> Accepted:
    """Make a row whose provider says something else; None leaves a member out."""

    def change(said: Mapping[str, Any], _grant: object) -> dict[str, Any]:
        changed = {**said, **members}
        return {name: value for name, value in changed.items() if value is not None}

    return Accepted(case=_changing(step, change))


def _without_kid(*algorithms: str) -> Callable[[Provider], None]:
    def prepare(provider: Provider) -> None:
        known = (provider.keys[alg] for alg in algorithms)
        keys = [key.public_jwk(kid=None, alg=None) for key in known]
        provider.changes.add("jwks", lambda _keys, _grant: keys)
        provider.changes.add(
            "id_token_header", lambda header, _: {**header, "kid": None}
        )

    return prepare


def rotate(provider: Provider) -> None:
    """Have a provider sign with a new key, the only one from now on."""
    provider.keys = {**provider.keys, "RS256": signer("RS256", "RS256-2")}


def _log_in_around_a_rotation(world: World, name: str) -> None:
    world.check_login(name)
    rotate(world.providers[name])
    world.check_login(name)


def _rotate_when_signing(provider: Provider) -> None:
    def change(claims: Mapping[str, Any], _grant: object) -> Mapping[str, Any]:
        rotate(provider)
        return claims

    provider.changes.add("id_token_claims", change)


def _log_in_around_a_move(world: World, name: str) -> None:
    """The authorization endpoint moves; a reload is enough to see where to."""
    world.check_login(name)
    provider = world.providers[name]
    provider.move("authorize", "login-here")
    provider.move("token", "tokens-here")
    provider.move("keys", "keys-here")
    rotate(provider)
    world.proxy.reload()
    here = provider.at("authorize")

    def knows_where() -> bool:
        begun = world.browser().send("GET", world.url(name)).location
        return begun is not None and begun.startswith(here)

    eventually(knows_where, "what the new metadata say")
    world.check_login(name)


def _aliased(provider: Provider) -> None:
    """Everything that takes a certificate is elsewhere."""
    provider.move("token", "mtls/token")
    provider.move("userinfo", "mtls/userinfo")
    aliases = {f"{name}_endpoint": provider.at(name) for name in ("token", "userinfo")}
    wrong = dict.fromkeys(aliases, provider.issuer + "/no-tls/here")
    provider.changes.add(
        "metadata", lambda said, _: {**said, **wrong, "mtls_endpoint_aliases": aliases}
    )
    provider.bound = True


def _nonce_at(endpoint: str, more: str = "") -> Accepted:
    def prepare(provider: Provider) -> None:
        provider.nonces[endpoint] = f"nonce-of-{endpoint}"

    return Accepted(case=Case(prepare=prepare, options=f"{DPOP}\n{more}"))


def _userinfo_signed(provider: Provider) -> None:
    provider.userinfo_alg = "RS256"


def _encrypting(attribute: str) -> Callable[[Provider], None]:
    def prepare(provider: Provider) -> None:
        encryption = Encryption(key=client_key(), alg="RSA-OAEP-256")
        provider.userinfo_alg = "RS256"
        setattr(provider, attribute, encryption)

    return prepare


def _prepared(
    prepare: Callable[[Provider], None], options: str = RSA_ONLY, play: Play = log_in
) -> Accepted:
    return Accepted(case=Case(prepare=prepare, options=options), play=play)


def _nothing(_provider: Provider) -> None:
    """A good provider is enough."""


ACCEPTED: Final[Mapping[str, Accepted]] = {
    "kid-absent-single-jwks": _prepared(_without_kid("RS256")),
    "kid-absent-multiple-jwks-by-setting": _prepared(
        _without_kid("PS256", "RS256", "ES256", "EdDSA"), f"{RSA_ONLY}\ntry_keys = true"
    ),
    "aud-as-array-of-one": _with("id_token_claims", aud=["proxy"]),
    "token-type-other-case": _with("token", token_type="bEARER"),
    "without-expires-in": _with("token", expires_in=None),
    "without-scope": _with("token", scope=None),
    "expires-in-as-string": _with("token", expires_in="300"),
    "key-rotation-between-logins": _prepared(_nothing, play=_log_in_around_a_rotation),
    "key-rotation-just-before-signing": _prepared(_rotate_when_signing),
    "decoy-keys-in-jwks": _prepared(_nothing),
    "unordered-response-types": _with(
        "metadata", response_types_supported=["token code id_token", "code"]
    ),
    "userinfo-signed": _prepared(_userinfo_signed, "userinfo_signed = true"),
    "userinfo-encrypted": _prepared(_encrypting("userinfo_encryption"), DECRYPTING),
    "id-token-encrypted": _prepared(
        _encrypting("encryption"), f"{DECRYPTING}\nid_token_encrypted = true"
    ),
    "mtls-endpoint-aliases": Accepted(
        case=Case(
            prepare=_aliased,
            options='auth = "tls_client_auth"\ncertificate = "client.crt"\n'
            'key = "client.key"',
            client=with_certificate,
        )
    ),
    "dpop-nonce-at-par": _nonce_at("par", 'par = "on"'),
    "dpop-nonce-at-token": _nonce_at("token"),
    "dpop-nonce-at-userinfo": _nonce_at("userinfo"),
    "ignored-extra-claims": _with(
        "id_token_claims", unheard_of={"a": [1]}, locale=None, email=["not", "one"]
    ),
    "metadata-changed-under-same-issuer": _prepared(
        _nothing, play=_log_in_around_a_move
    ),
}
