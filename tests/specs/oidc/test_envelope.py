"""What a provider signs and encrypts is opened as the operator says, or not at all."""

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.compact import ALGORITHMS
from sso_proxy.specs.jose.decrypt import (
    DecryptionKeys,
    derive_decryption_keys,
    read_decryption_keys,
)
from sso_proxy.specs.jose.encrypted import ENCRYPTIONS, KEY_ALGORITHMS
from sso_proxy.specs.jose.keys import (
    KeySet,
    UnknownKeyError,
    read_jwks,
    read_secret,
)
from sso_proxy.specs.oidc.envelope import MAX_JWT, EnvelopeRules, open_jwt
from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.support.rsa_key import RSA_KEY as RSA

CLAIMS = {"sub": "alice"}
RULES = EnvelopeRules()
SIGNER = TokenSigner.create("ES256", "k1")
RSA_SIGNER = TokenSigner.create("RS256", "r1")
KEYS = read_jwks(jwks(SIGNER, RSA_SIGNER))
SECRET = "a client secret of more than 64 octets, as HS512 wants it to be at least"
MAC = TokenSigner.of_secret(SECRET.encode())
MAC_KEYS = (read_secret(SECRET),)
MAC_RULES = EnvelopeRules(algorithms=frozenset({"HS256", "HS384", "HS512"}))
NONE_RULES = EnvelopeRules(allow_none=True)


def b64(octets: bytes | dict[str, object]) -> str:
    octets = octets if isinstance(octets, bytes) else json.dumps(octets).encode()
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def sign(signer: TokenSigner = SIGNER, /, **header: object) -> str:
    return signer.sign(CLAIMS, **{"typ": "JWT", **header})


def reason_of(
    text: str,
    rules: EnvelopeRules = RULES,
    keys: KeySet = KEYS,
    **options: Any,  # noqa: ANN401
) -> str:
    with pytest.raises(TokenError) as caught:
        open_jwt(text, keys, rules, **options)
    return caught.value.reason


@pytest.mark.parametrize(
    "alg", sorted(ALGORITHMS - {"RS384", "RS512", "PS384", "PS512"})
)
def test_signatures_of_all_kinds_are_checked(alg: str) -> None:
    signer = TokenSigner.create(alg, "k")
    keys = read_jwks(jwks(signer))
    header, claims = open_jwt(sign(signer), keys, RULES)
    assert header.alg == alg
    assert claims == CLAIMS


class TestSignatures:
    """Which signatures count."""

    @pytest.mark.parametrize("alg", ["RS256", "ES256"])
    def test_invalid_sig(self, alg: str) -> None:
        forged = sign(TokenSigner.create(alg, "k1" if alg == "ES256" else "r1"))
        assert reason_of(forged) == "token-signature"

    def test_unpinned_alg(self) -> None:
        pinned = EnvelopeRules(algorithms=frozenset({"ES256"}))
        open_jwt(sign(), KEYS, pinned)
        assert reason_of(sign(RSA_SIGNER), pinned) == "token-alg"

    def test_unknown_kid(self) -> None:
        with pytest.raises(UnknownKeyError):
            open_jwt(sign(kid="k2"), KEYS, RULES)

    def test_rs256_with_ec_key(self) -> None:
        assert reason_of(sign(RSA_SIGNER, kid="k1")) == "token-alg"

    def test_kid_absent_single_jwks(self) -> None:
        keys = read_jwks(jwks(SIGNER.renamed(None)))
        assert open_jwt(sign(kid=None), keys, RULES)[1] == CLAIMS
        assert open_jwt(sign(kid=None), KEYS, RULES)[1] == CLAIMS  # one of its kind

    def test_kid_absent_multiple_jwks(self) -> None:
        keys = read_jwks(jwks(TokenSigner.create("ES256", "k0"), SIGNER))
        assert reason_of(sign(kid=None), keys=keys) == "token-key-unknown"

    def test_kid_absent_multiple_jwks_by_setting(self) -> None:
        keys = read_jwks(jwks(TokenSigner.create("ES256", "k0"), SIGNER, RSA_SIGNER))
        rules = EnvelopeRules(try_keys=True)
        assert open_jwt(sign(kid=None), keys, rules)[1] == CLAIMS
        forged = sign(TokenSigner.create(), kid=None)
        assert reason_of(forged, rules, keys) == "token-signature"
        other = sign(TokenSigner.create("EdDSA"), kid=None)
        assert reason_of(other, rules, keys) == "token-key-unknown"

    def test_setting_does_not_try_keys_for_a_token_that_names_one(self) -> None:
        rules = EnvelopeRules(try_keys=True)
        assert reason_of(sign(kid="k2"), rules) == "token-key-unknown"

    def test_decoy_keys_in_jwks(self) -> None:
        decoy = TokenSigner.create("ES256", "other")
        weak = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "k1"}
        use = decoy.public_jwk(use="enc", kid="k1")
        unknown = {"kty": "future", "kid": "k1"}
        keys = read_jwks(jwks(decoy, weak, use, unknown, SIGNER))
        assert open_jwt(sign(), keys, RULES)[1] == CLAIMS

    @pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
    def test_key_that_a_token_brings_along_is_not_looked_at(self, name: str) -> None:
        """embedded-jwk, key-from-jku."""
        forger = TokenSigner.create("ES256", "k1")
        brought = forger.public_jwk() if name == "jwk" else "https://evil.example/jwks"
        assert reason_of(sign(forger, **{name: brought})) == "token-signature"
        unnamed = sign(forger, kid="k9", **{name: brought})
        assert reason_of(unnamed) == "token-key-unknown"
        assert open_jwt(sign(**{name: brought}), KEYS, RULES)[1] == CLAIMS

    @pytest.mark.parametrize("crit", [["exp"], [], ["b64"], "x"])
    def test_unknown_crit(self, crit: object) -> None:
        assert reason_of(sign(crit=crit)) == "token-header"

    def test_duplicate_header_member(self) -> None:
        header = b'{"alg":"RS256","alg":"ES256","kid":"k1"}'
        assert reason_of(SIGNER.sign_octets(header, b"{}")) == "token-malformed"

    def test_duplicate_claim(self) -> None:
        text = SIGNER.sign_octets(
            b'{"alg":"ES256","kid":"k1"}', b'{"sub":"a","sub":"b"}'
        )
        assert reason_of(text) == "token-malformed"

    @pytest.mark.parametrize("payload", [b"[]", b'"x"', b"1", b"null", b"", b"\xff"])
    def test_claims_are_an_object(self, payload: bytes) -> None:
        text = SIGNER.sign_octets(b'{"alg":"ES256","kid":"k1"}', payload)
        assert reason_of(text) == "token-malformed"

    @pytest.mark.parametrize(
        "typ", ["at+jwt", "logout+jwt", "dpop+jwt", "application/secevent+jwt", "X+JWT"]
    )
    def test_token_that_says_it_is_another_is_refused(self, typ: str) -> None:
        """RFC 8725 section 3.11."""
        assert reason_of(sign(typ=typ)) == "token-type"

    @pytest.mark.parametrize("typ", [None, "JWT", "jwt", "application/jwt", "JOSE"])
    def test_usual_types_are_taken(self, typ: str | None) -> None:
        assert open_jwt(sign(typ=typ), KEYS, RULES)[1] == CLAIMS

    def test_longer_token_is_refused(self) -> None:
        text = SIGNER.sign({"groups": "x" * MAX_JWT}, typ="JWT")
        assert reason_of(text) == "token-too-long"

    def test_long_list_of_groups_is_taken(self) -> None:
        text = SIGNER.sign({"groups": ["x" * 36] * 800}, typ="JWT")
        assert len(open_jwt(text, KEYS, RULES)[1]["groups"]) == 800


class TestKeysOfIssuers:
    """A provider with many issuers says for which of them a key is."""

    ENTRA = "https://login.example/{tenantid}/v2.0"

    def keys(self, issuer: object) -> KeySet:
        return read_jwks(jwks(SIGNER.public_jwk(issuer=issuer)))

    def claims(self, tenant: str) -> dict[str, Any]:
        return {"iss": self.ENTRA.replace("{tenantid}", tenant), "tid": tenant}

    def test_key_for_all_tenants_signs_for_each(self) -> None:
        text = SIGNER.sign(self.claims("t1"), typ="JWT")
        assert open_jwt(text, self.keys(self.ENTRA), RULES)

    def test_key_for_one_tenant_signs_for_no_other(self) -> None:
        """Storm-0558, 2023."""
        keys = self.keys(self.ENTRA.replace("{tenantid}", "private"))
        assert open_jwt(SIGNER.sign(self.claims("private"), typ="JWT"), keys, RULES)
        text = SIGNER.sign(self.claims("t1"), typ="JWT")
        assert reason_of(text, keys=keys) == "token-issuer"
        trying = EnvelopeRules(try_keys=True)
        unnamed = SIGNER.sign(self.claims("t1"), typ="JWT", kid=None)
        assert reason_of(unnamed, trying, keys=keys) == "token-issuer"

    def test_key_of_another_place_is_for_nobody_here(self) -> None:
        text = SIGNER.sign(self.claims("t1"), typ="JWT")
        keys = self.keys("https://other.example/{tenantid}")
        assert reason_of(text, keys=keys) == "token-issuer"

    def test_answer_without_an_issuer_is_not_compared(self) -> None:
        assert open_jwt(sign(), self.keys(self.ENTRA), RULES)[1] == CLAIMS

    def test_issuer_that_is_no_string_makes_no_key(self) -> None:
        assert self.keys(["x"]).keys == ()


class TestMacs:
    """HS256 and the like count only where they are configured."""

    def test_secret_of_the_client_signs_if_configured(self) -> None:
        header, claims = open_jwt(sign(MAC), KEYS, MAC_RULES, mac_keys=MAC_KEYS)
        assert header.alg == "HS256"
        assert claims == CLAIMS

    def test_name_of_the_key_does_not_matter(self) -> None:
        text = sign(MAC, kid="whatever")
        assert open_jwt(text, KEYS, MAC_RULES, mac_keys=MAC_KEYS)[1] == CLAIMS

    def test_secret_alone_allows_nothing(self) -> None:
        assert reason_of(sign(MAC), mac_keys=MAC_KEYS) == "token-alg"

    def test_invalid_sig_hs256(self) -> None:
        forged = sign(TokenSigner.of_secret(b"x" * 40))
        assert reason_of(forged, MAC_RULES, mac_keys=MAC_KEYS) == "token-signature"

    def test_either_of_two_secrets_signs_during_a_change(self) -> None:
        keys = (read_secret("y" * 40), *MAC_KEYS)
        assert open_jwt(sign(MAC), KEYS, MAC_RULES, mac_keys=keys)[1] == CLAIMS

    def test_no_secret_checks_nothing(self) -> None:
        assert reason_of(sign(MAC), MAC_RULES) == "token-key-unknown"

    def test_hs256_with_public_key(self) -> None:
        """A forger knows the public key (CVE-2015-9235)."""
        both = EnvelopeRules(algorithms=frozenset({"HS256", "RS256"}))
        for kid in ("r1", None):
            for octets in (RSA_SIGNER.public_pem(), jwks(RSA_SIGNER)):
                forged = sign(TokenSigner.of_secret(octets), kid=kid)
                assert reason_of(forged, both) == "token-key-unknown"
                reason = reason_of(forged, both, mac_keys=MAC_KEYS)
                assert reason == "token-signature"


class TestUnsigned:
    """Tokens that nobody signed."""

    NONE = f"{b64({'alg': 'none'})}.{b64(dict(CLAIMS))}."

    def test_sig_none(self) -> None:
        assert reason_of(self.NONE) == "token-malformed"
        assert reason_of(self.NONE, unsigned=True) == "token-malformed"

    def test_setting_counts_in_the_code_flow_only(self) -> None:
        assert reason_of(self.NONE, NONE_RULES) == "token-malformed"
        header, claims = open_jwt(self.NONE, KEYS, NONE_RULES, unsigned=True)
        assert header.alg == "none"
        assert claims == CLAIMS

    @pytest.mark.parametrize("alg", ["None", "NONE", "nOnE", "", "ES256", None, 1])
    def test_alg_none_mixed_case(self, alg: object) -> None:
        text = f"{b64({'alg': alg})}.{b64(dict(CLAIMS))}."
        assert reason_of(text, NONE_RULES, unsigned=True) == "token-alg"

    def test_missing_alg(self) -> None:
        text = f"{b64({})}.{b64(dict(CLAIMS))}."
        assert reason_of(text, NONE_RULES, unsigned=True) == "token-alg"

    def test_signature_with_none_is_refused(self) -> None:
        assert reason_of(self.NONE + ".", NONE_RULES, unsigned=True) == (
            "token-malformed"
        )
        for signature in ("AA", b64(b"x" * 64)):
            text = self.NONE + signature
            assert reason_of(text, NONE_RULES, unsigned=True) == "token-alg"

    def test_signature_that_was_taken_off_is_missed(self) -> None:
        text = sign().rpartition(".")[0] + "."
        assert reason_of(text, NONE_RULES, unsigned=True) == "token-alg"

    @pytest.mark.parametrize("text", ["..", ".", "a.", "a..b.", "...", "ä.b."])
    def test_other_forms_are_malformed(self, text: str) -> None:
        assert reason_of(text, NONE_RULES, unsigned=True) == "token-malformed"

    def test_longer_one_is_refused(self) -> None:
        head = f"{b64({'alg': 'none'})}."
        payload = b64(b'{"a":"' + b"x" * (MAX_JWT * 3 // 4) + b'"}')
        assert reason_of(f"{head}{payload}.", NONE_RULES, unsigned=True) == (
            "token-too-long"
        )
        longest = b64({"a": "x" * 49000})
        assert open_jwt(f"{head}{longest}.", KEYS, NONE_RULES, unsigned=True)

    def test_crit_is_refused(self) -> None:
        text = f"{b64({'alg': 'none', 'crit': ['x']})}.{b64(dict(CLAIMS))}."
        assert reason_of(text, NONE_RULES, unsigned=True) == "token-header"


EC = ec.generate_private_key(ec.SECP256R1())


def jwk_of(key: Any, kid: str) -> dict[str, Any]:  # noqa: ANN401
    return {**json.loads(JWK.from_pyca(key).export_private()), "kid": kid}


OURS = {"RSA": jwk_of(RSA, "enc-rsa"), "EC": jwk_of(EC, "enc-ec")}
DECRYPTION = (read_decryption_keys(json.dumps({"keys": [*OURS.values()]}).encode()),)


def encrypt(content: str, key: dict[str, Any] | None = None, **header: object) -> str:
    """Have jwcrypto encrypt *content*."""
    all_of = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT", **header}
    kept = {name: value for name, value in all_of.items() if value is not ...}
    jwe = JWE(
        content.encode(),
        json.dumps(kept),
        algs=[*KEY_ALGORITHMS, *ENCRYPTIONS, "RSA1_5"],
        recipient=JWK(**(key or OURS["RSA"])),
    )
    text: str = jwe.serialize(compact=True)
    return text


def derived(alg: str, enc: str, secret: str = SECRET) -> dict[str, Any]:
    """Derive a key as OpenID Connect Core section 10.2 says."""
    size = {"A128KW": 16, "A192KW": 24, "A256KW": 32}.get(alg, ENCRYPTIONS[enc].key)
    bits = 256 if size <= 32 else 384 if size <= 48 else 512
    octets = hashlib.new(f"sha{bits}", secret.encode()).digest()[:size]
    return {"kty": "oct", "k": b64(octets)}


class TestEncryption:
    """Tokens that are encrypted to us."""

    @pytest.mark.parametrize("enc", sorted(ENCRYPTIONS))
    @pytest.mark.parametrize(
        "alg",
        [
            *("RSA-OAEP", "RSA-OAEP-256"),
            *("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"),
        ],
    )
    def test_id_token_encrypted(self, alg: str, enc: str) -> None:
        key = OURS["EC" if alg.startswith("ECDH") else "RSA"]
        text = encrypt(sign(), key, alg=alg, enc=enc, kid=key["kid"])
        assert open_jwt(text, KEYS, RULES, decryption_keys=DECRYPTION)[1] == CLAIMS

    @pytest.mark.parametrize("enc", sorted(ENCRYPTIONS))
    @pytest.mark.parametrize("alg", ["dir", "A128KW", "A192KW", "A256KW"])
    def test_key_of_the_client_secret(self, alg: str, enc: str) -> None:
        """OpenID Connect Core section 10.2."""
        text = encrypt(sign(), derived(alg, enc), alg=alg, enc=enc)
        keys = (derive_decryption_keys("another"), derive_decryption_keys(SECRET))
        assert open_jwt(text, KEYS, RULES, decryption_keys=keys)[1] == CLAIMS
        other = (derive_decryption_keys("another"),)
        assert reason_of(text, decryption_keys=other) == "token-decryption"

    def test_content_type_may_be_missing(self) -> None:
        text = encrypt(sign(), cty=...)
        assert open_jwt(text, KEYS, RULES, decryption_keys=DECRYPTION)[1] == CLAIMS

    @pytest.mark.parametrize("cty", ["json", "", "at+jwt", "text/plain"])
    def test_other_content_is_refused(self, cty: str) -> None:
        text = encrypt(sign(), cty=cty)
        assert reason_of(text, decryption_keys=DECRYPTION) == "token-header"

    def test_what_is_inside_has_to_be_signed(self) -> None:
        """Whoever has our public key can encrypt to us."""
        text = encrypt(json.dumps(CLAIMS))
        assert reason_of(text, decryption_keys=DECRYPTION) == "token-malformed"
        forged = encrypt(sign(TokenSigner.create("ES256", "k1")))
        assert reason_of(forged, decryption_keys=DECRYPTION) == "token-signature"
        unsigned = encrypt(TestUnsigned.NONE)
        assert reason_of(unsigned, decryption_keys=DECRYPTION) == "token-malformed"

    def test_two_layers_are_refused(self) -> None:
        text = encrypt(encrypt(sign()))
        assert reason_of(text, decryption_keys=DECRYPTION) == "token-encrypted"

    def test_five_parts_for_signed(self) -> None:
        text = encrypt(sign())
        assert reason_of(text) == "token-encrypted"
        never = EnvelopeRules(encrypted=False)
        assert reason_of(text, never, decryption_keys=DECRYPTION) == "token-encrypted"

    def test_three_parts_for_encrypted(self) -> None:
        rules = EnvelopeRules(encrypted=True)
        reason = reason_of(sign(), rules, decryption_keys=DECRYPTION)
        assert reason == "token-not-encrypted"

    def test_zip_bomb(self) -> None:
        text = encrypt("x" * 100000, zip="DEF")
        assert reason_of(text, decryption_keys=DECRYPTION) == "token-header"

    def test_rsa1_5_encryption(self) -> None:
        text = encrypt(sign(), alg="RSA1_5")
        assert reason_of(text, decryption_keys=DECRYPTION) == "token-alg"

    def test_truncated_gcm_tag(self) -> None:
        """CVE-2023-37464."""
        head, _, _ = encrypt(sign()).rpartition(".")
        for octets in (0, 1, 12, 15):
            text = f"{head}.{b64(bytes(octets))}"
            reason = reason_of(text, decryption_keys=DECRYPTION)
            assert reason == "token-malformed"

    def test_algorithms_can_be_pinned(self) -> None:
        text = encrypt(sign())
        for rules in (
            EnvelopeRules(key_algorithms=frozenset({"RSA-OAEP"})),
            EnvelopeRules(encryptions=frozenset({"A128GCM"})),
        ):
            assert reason_of(text, rules, decryption_keys=DECRYPTION) == "token-alg"

    def test_token_for_another_is_refused(self) -> None:
        other = rsa.generate_private_key(65537, 2048)
        text = encrypt(sign(), jwk_of(other, "enc-rsa"))
        assert reason_of(text, decryption_keys=DECRYPTION) == "token-decryption"

    def test_longer_token_is_refused(self) -> None:
        text = encrypt("x" * MAX_JWT)
        assert reason_of(text, decryption_keys=DECRYPTION) == "token-too-long"

    def test_content_that_is_no_text_is_malformed(self) -> None:
        text = encrypt("ä.ö.ü")
        assert reason_of(text, decryption_keys=DECRYPTION) == "token-malformed"


GOOD = sign()
GOOD_ENCRYPTED = encrypt(GOOD)


@given(data=st.data())
@settings(max_examples=200)
def test_changed_token_is_refused(data: st.DataObject) -> None:
    """One character of a good token, whichever, changed to any other."""
    good = data.draw(st.sampled_from([GOOD, GOOD_ENCRYPTED]))
    at = data.draw(st.integers(0, len(good) - 1))
    alphabet = "ABCDwxyz0189-_.=+/ \n"
    other = data.draw(st.sampled_from(alphabet).filter(lambda c: c != good[at]))
    bad = good[:at] + other + good[at + 1 :]
    rules = EnvelopeRules(allow_none=True, try_keys=True)
    with pytest.raises(TokenError):
        open_jwt(bad, KEYS, rules, decryption_keys=DECRYPTION, unsigned=True)


@given(st.text() | st.text("abcAB.eyJ=", max_size=30))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(TokenError):
        open_jwt(text, KEYS, NONE_RULES, decryption_keys=DECRYPTION, unsigned=True)


def test_keys_may_be_none_at_all() -> None:
    empty: DecryptionKeys = DecryptionKeys(())
    text = encrypt(GOOD)
    assert reason_of(text, decryption_keys=(empty,)) == "token-decryption"
    assert reason_of(GOOD, keys=KeySet(())) == "token-key-unknown"
