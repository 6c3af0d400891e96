"""What a message has to be, what it proves, and what backends are told of that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.model import Headers
from sso_proxy.specs.jose.strict import decode_base64url, encode_base64url
from sso_proxy.specs.tls_presentation import vector
from sso_proxy.specs.token_binding import (
    MOST_BINDINGS,
    PROVIDED,
    REFERRED,
    build_fields,
    parse_message,
    read_field,
    read_fields,
    verify,
)
from sso_proxy.specs.token_binding_keys import (
    ECDSAP256,
    KEY_PARAMETERS,
    RSA2048_PKCS1_5,
    RSA2048_PSS,
    TokenBindingError,
)
from sso_proxy.testing.token_binding import (
    BindingKey,
    build_binding,
    make_binding,
    make_header,
    prove,
)
from sso_proxy.tls_facts import TokenBindingId, TokenBindings

EKM = bytes(range(32))
KEYS = {parameters: BindingKey.create(parameters) for parameters in KEY_PARAMETERS}
EC, PSS, PKCS = KEYS[ECDSAP256], KEYS[RSA2048_PSS], KEYS[RSA2048_PKCS1_5]
OTHER = BindingKey.create()

# A public vector of the Java library "unbearable": a message and its connection.
PUBLIC = (
    "AIkAAgBBQLlO7EVk3V2g3-zmgRpq2qKfbw6F1rZ97Y15siYmjuy3U5CKNcwXnrHYqM87PcilegJ7Ooxd"
    "7KpiRGRIp5jCAXoAQCLhZIeSUTWv3ETKb9qPDyWzxmQlwFDFkmeGSophCtEEdfOnsKotZNOgQ3Fz3DIw"
    "HZb-GqdkjoHiVN_hAE5dG-gAAA"
)
PUBLIC_EKM = decode_base64url(b"5zz7pa9_rIGE79Zq9fEUnl-SbLClqk1K9bas9hWZ-_w")
PUBLIC_ID = (
    "AgBBQLlO7EVk3V2g3-zmgRpq2qKfbw6F1rZ97Y15siYmjuy3U5CKNcwXnrHYqM87PcilegJ7Ooxd7Kpi"
    "RGRIp5jCAXo"
)


def _refused(value: str, ekm: bytes = EKM, parameters: int = ECDSAP256) -> str:
    with pytest.raises(TokenBindingError) as caught:
        verify(value, ekm, parameters)
    assert caught.value.status == 400
    return caught.value.reason.removeprefix("token-binding-")


# Messages of others


def test_a_public_vector_proves_its_key() -> None:
    found = verify(PUBLIC, PUBLIC_EKM, ECDSAP256)
    assert found.provided.encoded == PUBLIC_ID
    assert found.referred is None
    assert found.others == ()


def test_a_public_vector_is_written_again_octet_for_octet() -> None:
    (binding,) = read_field(PUBLIC)
    again = build_binding(binding.type, binding.id.raw, binding.signature)
    assert make_header(again) == PUBLIC


# What is proved


@pytest.mark.parametrize("key", KEYS.values(), ids=["ecdsa", "pss", "pkcs1.5"])
def test_the_key_that_is_provided_is_proved(key: BindingKey) -> None:
    found = verify(prove(key, EKM), EKM, key.id.key_parameters)
    assert found == TokenBindings(provided=key.id, context=found.context)


@pytest.mark.parametrize("referred", KEYS.values(), ids=["ecdsa", "pss", "pkcs1.5"])
def test_the_key_for_another_site_may_be_of_another_kind(referred: BindingKey) -> None:
    found = verify(prove(OTHER, EKM, referred), EKM, ECDSAP256)
    assert (found.provided, found.referred) == (OTHER.id, referred.id)


def test_the_order_of_the_two_does_not_matter() -> None:
    value = make_header(make_binding(PSS, EKM, REFERRED), make_binding(EC, EKM))
    found = verify(value, EKM, ECDSAP256)
    assert (found.provided, found.referred) == (EC.id, PSS.id)


def test_the_key_for_us_is_of_the_kind_that_was_agreed_on() -> None:
    """Section 4.2: the key has to match what was negotiated."""
    assert _refused(prove(EC, EKM), parameters=RSA2048_PSS) == "key-parameters"
    assert _refused(prove(PKCS, EKM), parameters=RSA2048_PSS) == "key-parameters"


def test_a_binding_of_another_type_is_told_apart() -> None:
    value = make_header(make_binding(EC, EKM), make_binding(PSS, EKM, 0x4D))
    assert verify(value, EKM, ECDSAP256).others == ((0x4D, PSS.id),)


def test_a_binding_that_nobody_can_check_is_ignored_if_nobody_knows_its_type() -> None:
    unknown = bytes((88,)) + vector(2, b"anything")
    value = make_header(make_binding(EC, EKM), build_binding(77, unknown, bytes(64)))
    assert verify(value, EKM, ECDSAP256) == verify(prove(EC, EKM), EKM, ECDSAP256)


@pytest.mark.parametrize("kind", [PROVIDED, REFERRED])
@pytest.mark.parametrize("parameters", [88, 96])
def test_a_binding_of_a_known_type_has_to_be_one_that_can_be_checked(
    kind: int, parameters: int
) -> None:
    unknown = bytes((parameters,)) + vector(2, b"anything")
    value = make_header(
        make_binding(EC, EKM, 1 - kind), build_binding(kind, unknown, bytes(64))
    )
    assert _refused(value) == "key-parameters"


def test_extensions_are_ignored() -> None:
    more = [(0, b""), (255, bytes(300))]
    value = make_header(make_binding(EC, EKM, extensions=more))
    assert verify(value, EKM, ECDSAP256).provided == EC.id
    assert read_field(value)[0].extensions == tuple(more)


def test_the_context_names_version_kind_of_key_and_connection() -> None:
    found = verify(prove(PSS, EKM), EKM, RSA2048_PSS)
    assert found.context == b"\x01\x00\x01" + EKM
    assert EKM.hex() not in repr(found)


# What is refused


def test_one_bad_signature_spoils_the_message() -> None:
    """Section 4.2: "the signature contained in any TokenBinding structure"."""
    good = make_binding(EC, EKM)
    for kind in (REFERRED, 77):
        bad = build_binding(kind, PSS.id.raw, PSS.sign(EKM, kind)[::-1])
        assert _refused(make_header(good, bad)) == "signature"


def test_a_signature_for_one_type_is_not_good_for_another() -> None:
    swapped = build_binding(PROVIDED, EC.id.raw, EC.sign(EKM, REFERRED))
    assert _refused(make_header(swapped)) == "signature"


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        ((PROVIDED, PROVIDED), "ambiguous"),
        ((PROVIDED, REFERRED, REFERRED), "ambiguous"),
        ((REFERRED,), "not-provided"),
        ((77,), "not-provided"),
    ],
)
def test_one_key_is_provided_and_at_most_one_referred(
    kinds: tuple[int, ...], reason: str
) -> None:
    """RFC 8473 section 2."""
    made = (make_binding(EC, EKM, kind) for kind in kinds)
    assert _refused(make_header(*made)) == reason


def test_a_message_costs_a_bounded_number_of_signatures() -> None:
    others = [make_binding(OTHER, EKM, 2 + n) for n in range(MOST_BINDINGS - 1)]
    value = make_header(make_binding(EC, EKM), *others)
    assert len(verify(value, EKM, ECDSAP256).others) == MOST_BINDINGS - 1
    value = make_header(make_binding(EC, EKM), *others, others[0])
    assert _refused(value) == "too-many"


GOOD = make_binding(EC, EKM)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0\0",
        vector(2, GOOD)[:-1],
        vector(2, GOOD) + b"\0",
        vector(2, GOOD + b"\0"),
        vector(2, GOOD[:131]),
        vector(2, build_binding(0, EC.id.raw, bytes(63) + b"")),
        vector(2, build_binding(0, b"\x02" + vector(2, b""), bytes(130))),
        vector(2, GOOD[:-2] + vector(2, b"\0\0\1")),
        vector(2, GOOD[:-2] + vector(2, b"\0")),
        vector(2, GOOD[:-2]),
    ],
    ids=[
        *("nothing", "no-binding", "cut-off", "goes-on", "half-a-binding", "131"),
        *("signature-63", "key-empty", "extension-cut", "extension-short", "none"),
    ],
)
def test_what_is_no_message_is_refused(message: bytes) -> None:
    assert _refused(encode_base64url(message)) == "malformed"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "AAA",
        "AAA=",
        PUBLIC + "=",
        PUBLIC + " ",
        PUBLIC[:40] + "\t" + PUBLIC[40:],
        PUBLIC.replace("-", "+").replace("_", "/"),
        PUBLIC + ", " + PUBLIC,
        PUBLIC[:-1] + "B",
        PUBLIC + "\u00e9",
        '"' + PUBLIC + '"',
    ],
)
def test_the_field_is_base64url_and_nothing_else(value: str) -> None:
    assert _refused(value, PUBLIC_EKM) == "malformed"


def test_keying_material_of_another_length_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="32 octets"):
        verify(PUBLIC, b"", ECDSAP256)


@given(st.binary(max_size=500))
def test_no_octets_do_any_harm(octets: bytes) -> None:
    _refused(encode_base64url(octets))


@given(st.text(max_size=200))
def test_no_text_does_any_harm(text: str) -> None:
    _refused(text)


binding = st.builds(
    build_binding,
    st.integers(0, 255),
    st.sampled_from([each.id.raw for each in KEYS.values()])
    | st.builds(
        lambda kind, key: bytes((kind,)) + vector(2, key),
        st.integers(0, 255),
        st.binary(min_size=1, max_size=300),
    ),
    st.binary(min_size=64, max_size=300),
    st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=20)), max_size=3),
)


@given(st.lists(binding, min_size=1, max_size=MOST_BINDINGS))
def test_every_message_is_read_whole_and_proves_nothing_by_its_form(
    bindings: list[bytes],
) -> None:
    message = vector(2, b"".join(bindings))
    if len(message) < 134:
        return
    again = [
        build_binding(each.type, each.id.raw, each.signature, each.extensions)
        for each in parse_message(message)
    ]
    assert again == bindings
    _refused(encode_base64url(message))


@given(st.data())
def test_no_change_of_a_message_proves_anything_else(data: st.DataObject) -> None:
    """But for extensions, which are not signed, and mean nothing."""
    octets = bytearray(decode_base64url(prove(EC, EKM).encode()))
    at = data.draw(st.integers(0, len(octets) - 3))
    octets[at] ^= data.draw(st.integers(1, 255))
    _refused(encode_base64url(bytes(octets)))


# Keys and their names


def test_the_identifier_of_a_known_key_is_what_others_make_of_it() -> None:
    id_ = TokenBindingId(decode_base64url(PUBLIC_ID.encode()))
    assert (len(id_.raw), id_.key_parameters) == (68, ECDSAP256)
    assert id_.encoded == PUBLIC_ID
    # As coreutils say: the octets through sha256sum, and its in base64url.
    assert id_.hash == "ULxYa2F9N9pdzvQC4N_ibuHvC3mEWCN6NDl6i3FlSy8"


# Toward backends, and from terminators


def test_a_backend_is_told_what_it_wants_to_know() -> None:
    value = make_header(
        make_binding(EC, EKM),
        make_binding(PSS, EKM, REFERRED),
        make_binding(PKCS, EKM, 0x4D),
        make_binding(OTHER, EKM, 0xB),
    )
    found = verify(value, EKM, ECDSAP256)
    fields = dict(build_fields(found, ("provided", "referred", "other", "context")))
    assert fields == {
        "sec-provided-token-binding-id": EC.id.encoded,
        "sec-referred-token-binding-id": PSS.id.encoded,
        "sec-other-token-binding-id": f"4d.{PKCS.id.encoded},b.{OTHER.id.encoded}",
        "sec-token-binding-context": encode_base64url(b"\x01\x00\x02" + EKM),
    }
    assert read_fields(tuple(fields.items())) == found
    assert build_fields(found, ("provided",)) == (
        ("sec-provided-token-binding-id", EC.id.encoded),
    )


def test_nothing_is_told_that_is_not_there() -> None:
    told = ("provided", "referred", "other", "context")
    fields = build_fields(TokenBindings(provided=EC.id), told)
    assert [name for name, _ in fields] == ["sec-provided-token-binding-id"]
    assert read_fields(fields) == TokenBindings(provided=EC.id)


def test_a_terminator_that_says_nothing_has_seen_no_key() -> None:
    assert read_fields(()) is None
    assert read_fields((("x-forwarded-for", "192.0.2.1"),)) is None


P, R, OTHERS, C = (
    "sec-provided-token-binding-id",
    "sec-referred-token-binding-id",
    "sec-other-token-binding-id",
    "sec-token-binding-context",
)
ID = EC.id.encoded


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (((P, ID), (P, ID)), "repeated"),
        (((P, ID), (R, ID), (R, ID)), "repeated"),
        (((P, f"{ID},{ID}"),), "malformed"),
        (((P, ""),), "key"),
        (((P, ID[:-1] + "="),), "malformed"),
        (((P, ID[:-3]),), "key"),
        (((P, encode_base64url(b"\x58\0\1a")),), "key-parameters"),
        (((R, ID),), "not-provided"),
        (((OTHERS, f"4d.{ID}"),), "not-provided"),
        (((C, encode_base64url(bytes(35))),), "not-provided"),
        (((P, ID), (C, "AAA")), "malformed"),
        (((P, ID), (OTHERS, "")), "malformed"),
        (((P, ID), (OTHERS, ID)), "malformed"),
        (((P, ID), (OTHERS, f"4D.{ID}")), "malformed"),
        (((P, ID), (OTHERS, f"04d.{ID}")), "malformed"),
        (((P, ID), (OTHERS, f"100.{ID}")), "malformed"),
        (((P, ID), (OTHERS, f"0.{ID}")), "malformed"),
        (((P, ID), (OTHERS, f"1.{ID}")), "malformed"),
        (((P, ID), (OTHERS, f"+4.{ID}")), "malformed"),
        (((P, ID), (OTHERS, f"4d.{ID},")), "malformed"),
        (((P, ID), (OTHERS, ",".join([f"4d.{ID}"] * 9))), "too-many"),
    ],
)
def test_what_a_terminator_says_has_one_reading(fields: Headers, reason: str) -> None:
    with pytest.raises(TokenBindingError) as caught:
        read_fields(fields)
    assert caught.value.reason == f"token-binding-{reason}"


@given(st.lists(st.tuples(st.sampled_from([P, R, OTHERS, C]), st.text(max_size=90))))
def test_whatever_a_terminator_says_does_no_harm(fields: list[tuple[str, str]]) -> None:
    if fields:
        with pytest.raises(TokenBindingError):
            read_fields(tuple(fields))
