"""Nothing that a provider says is believed unless all of it holds."""

import contextlib
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.openid2.assertion import (
    Assertion,
    AssertionRefused,
    Checked,
    build_check,
    check_discovered,
    check_signature,
    needs_discovery,
    read_assertion,
    read_check,
)
from sso_proxy.specs.openid2.association import Association, sign
from sso_proxy.specs.openid2.discovery import Discovered, Endpoint
from sso_proxy.specs.openid2.message import MessageError, read_message
from sso_proxy.specs.openid2.names import IDENTIFIER_SELECT, NS

OP = "https://op.example/login"
ALICE = "https://example.com/alice"
HERE = "https://app.example/.sso/callback/openid"
BACK = f"{HERE}?login=abc&x=1"
SREG = "http://openid.net/extensions/sreg/1.1"
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC).timestamp()
NONCE = "2026-11-22T12:00:00ZYODepj"
ENDPOINT = Endpoint(op_endpoint=OP, claimed_id=ALICE)
KEY = Association(
    handle="{HMAC-SHA256}{1}{b'x=='}",
    mac_key=bytes(range(32)),
    kind="HMAC-SHA256",
    op_endpoint=OP,
    expires=NOW + 60,
)
NAMES = "assoc_handle,claimed_id,identity,mode,ns,op_endpoint,response_nonce,return_to"
FIELDS = {
    "ns": NS,
    "mode": "id_res",
    "op_endpoint": OP,
    "claimed_id": ALICE,
    "identity": ALICE,
    "return_to": BACK,
    "response_nonce": NONCE,
    "assoc_handle": KEY.handle,
    "signed": f"{NAMES},signed",
}


def query(fields: dict[str, str], others: str = "login=abc&x=1") -> str:
    escaped = urlencode({f"openid.{name}": value for name, value in fields.items()})
    return f"{others}&{escaped}"


def signed(**changes: str | None) -> dict[str, str]:
    """Give the fields of an answer, with what is changed before it is signed."""
    return signed_with(KEY, **changes)


def signed_with(key: Association, **changes: str | None) -> dict[str, str]:
    every = {**FIELDS, **changes}
    fields = {name: value for name, value in every.items() if value is not None}
    names = [name for name in fields.get("signed", "").split(",") if name in fields]
    signature = sign(key, [(name, fields[name]) for name in names])
    return {**fields, "sig": b64encode(signature).decode()}


def read(fields: dict[str, str], others: str = "login=abc&x=1") -> Assertion:
    message = read_message(query(fields, others))
    return read_assertion(message, return_to=BACK, here=HERE, now=NOW)


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(AssertionRefused) as refused:
        work()
    return refused.value.reason


def test_an_answer_of_which_all_holds_is_believed() -> None:
    assertion = read(signed())
    check_discovered(assertion, ENDPOINT)
    check_signature(assertion, KEY, NOW)
    assert assertion.claimed_id == ALICE
    assert assertion.op_endpoint == OP
    assert assertion.nonce == NONCE
    assert assertion.at == NOW
    assert assertion.invalidate_handle == ""
    assert not needs_discovery(assertion, ENDPOINT)


# (a) to whom it is


@pytest.mark.parametrize(
    "return_to",
    [
        "https://other.example/.sso/callback/openid?login=abc&x=1",
        f"{HERE}?login=abd&x=1",
        f"{HERE}?login=abc",
        BACK.replace("https", "http"),
        BACK.replace("app.example", "APP.example"),
        HERE,
        "",
    ],
)
def test_an_answer_to_somebody_else_is_refused(return_to: str) -> None:
    """Who runs another site could bring us what its visitors gave it."""
    fields = signed(return_to=return_to)
    assert refusal(lambda: read(fields)) == "openid-return-to"


@pytest.mark.parametrize(
    "others", ["login=abc", "x=1", "login=abd&x=1", "login=abc&x=1&y=2", "", "x=1&x=1"]
)
def test_an_answer_in_another_query_is_refused(others: str) -> None:
    assert refusal(lambda: read(signed(), others)) == "openid-return-to"


def test_the_order_of_the_query_does_not_matter() -> None:
    read(signed(), "x=1&login=abc")


def test_an_answer_in_another_place_is_refused() -> None:
    message = read_message(query(signed()))
    for here in (f"{HERE}/x", HERE.replace("app", "other"), "", f"{HERE}?"):
        with pytest.raises(AssertionRefused):
            read_assertion(message, return_to=BACK, here=here, now=NOW)


def test_a_place_may_have_no_query() -> None:
    fields = signed(return_to=HERE)
    message = read_message(query(fields, "").removeprefix("&"))
    for others in (message, read_message("", query(fields, "submit=1"))):
        read_assertion(others, return_to=HERE, here=HERE, now=NOW)


# (b) who vouches


@pytest.mark.parametrize(
    "found",
    [
        Endpoint(op_endpoint="https://other.example/", claimed_id=ALICE),
        Endpoint(op_endpoint=f"{OP}/", claimed_id=ALICE),
        Endpoint(op_endpoint=OP, claimed_id="https://example.com/bob"),
        Endpoint(op_endpoint=OP, claimed_id=ALICE, local_id="bob"),
        Endpoint(op_endpoint=OP, select=True),
        Discovered(claimed_id=ALICE, endpoints=()),
        Discovered(
            claimed_id=ALICE, endpoints=(Endpoint(op_endpoint=OP, select=True),)
        ),
    ],
)
def test_a_provider_speaks_for_those_who_name_it(found: Endpoint | Discovered) -> None:
    """ID spoofing: a provider of an attacker's that signs everybody's identifiers."""
    assertion = read(signed())
    assert refusal(lambda: check_discovered(assertion, found)) == "openid-discovery"


def test_any_of_several_providers_may_vouch() -> None:
    other = Endpoint(op_endpoint="https://other.example/", claimed_id=ALICE)
    found = Discovered(claimed_id=ALICE, endpoints=(other, ENDPOINT))
    check_discovered(read(signed()), found)


def test_the_name_at_the_provider_is_the_discovered_one() -> None:
    endpoint = Endpoint(op_endpoint=OP, claimed_id=ALICE, local_id="alice")
    check_discovered(read(signed(identity="alice")), endpoint)
    spoofed = read(signed(identity="bob"))
    assert refusal(lambda: check_discovered(spoofed, endpoint)) == "openid-discovery"


def test_a_fragment_belongs_to_the_name_and_not_to_discovery() -> None:
    """Who had the URL before has another fragment."""
    for identity in (ALICE, f"{ALICE}#2"):
        assertion = read(signed(claimed_id=f"{ALICE}#2", identity=identity))
        check_discovered(assertion, ENDPOINT)
        assert assertion.claimed_id == f"{ALICE}#2"
        assert not needs_discovery(assertion, ENDPOINT)
    other = read(signed(claimed_id=f"{ALICE}#2", identity=f"{ALICE}#1"))
    assert refusal(lambda: check_discovered(other, ENDPOINT)) == "openid-discovery"


def test_what_was_not_discovered_has_to_be() -> None:
    assertion = read(signed())
    assert needs_discovery(assertion, Endpoint(op_endpoint=OP, select=True))
    other = Endpoint(op_endpoint=OP, claimed_id="https://example.com/bob")
    assert needs_discovery(assertion, other)


@pytest.mark.parametrize(
    "claimed_id",
    [
        *("alice", "https://example.com", "HTTPS://example.com/alice", "=alice"),
        *(
            "https://example.com/a/../alice",
            "https://a@example.com/",
            IDENTIFIER_SELECT,
        ),
        *(f"{ALICE}#<b>", f"{ALICE}#a b", f"{ALICE}#1#2", f"{ALICE}#", f"{ALICE}#%0"),
        f"https://example.com/{'a' * 2048}",
    ],
)
def test_a_name_in_another_form_is_none(claimed_id: str) -> None:
    """Else one person would be several, and a rule for one not hold for the others."""
    fields = signed(claimed_id=claimed_id)
    if claimed_id == IDENTIFIER_SELECT:  # a URL like others, which nobody vouches for
        assertion = read(fields)
        assert refusal(lambda: check_discovered(assertion, ENDPOINT))
    else:
        assert refusal(lambda: read(fields)) == "openid-assertion"


# (c) when


@pytest.mark.parametrize(
    "nonce",
    [
        *("", "abc", "2026-11-22T12:00:00", "2026-11-22 12:00:00Z", "20261122T120000Z"),
        *("2026-11-22T12:00:00+00:00", "2026-02-30T12:00:00Zx", "2026-11-22T24:00:00Z"),
        *("2026-11-22T12:00:60Zx", "2026-11-22T12:00:00Za b", "2026-11-22T12:00:00Zä"),
        *("0000-11-22T12:00:00Zx", f"2026-11-22T12:00:00Z{'x' * 236}"),
        *("\u0662026-11-22T12:00:00Z", " 2026-11-22T12:00:00Z", NONCE.lower()),
        *("2026-11-22T11:54:59Zx", "2026-11-22T12:05:01Zx", "2006-11-22T12:00:00Zx"),
    ],
)
def test_an_answer_without_a_time_or_of_another_is_refused(nonce: str) -> None:
    fields = signed(response_nonce=nonce)
    assert refusal(lambda: read(fields)) == "openid-nonce"


@pytest.mark.parametrize(
    "nonce",
    [
        *("2026-11-22T11:55:00Z", "2026-11-22T12:05:00Zx", NONCE),
        f"2026-11-22T12:00:00Z{'x' * 235}",
    ],
)
def test_clocks_may_differ_a_little(nonce: str) -> None:
    read(signed(response_nonce=nonce))


def test_a_mark_is_kept_until_time_refuses_the_answer() -> None:
    late = read(signed(response_nonce="2026-11-22T12:04:00Zx"))
    assert late.keep_for(NOW) > 240 + 300
    early = read(signed(response_nonce="2026-11-22T11:55:00Zx"))
    assert early.keep_for(NOW) == 1.0
    again = NOW + late.keep_for(NOW)
    message = late.message
    with pytest.raises(AssertionRefused):
        read_assertion(message, return_to=BACK, here=HERE, now=again)


def test_marks_of_providers_do_not_meet() -> None:
    one, two = read(signed()), read(signed(op_endpoint="https://other.example/"))
    assert one.mark != two.mark
    assert one.mark == read(signed(claimed_id="https://example.com/bob")).mark
    shifted = attrs.evolve(one, op_endpoint=f"{OP}x", nonce=NONCE[1:])
    assert shifted.mark != one.mark


# (d) what is signed


@pytest.mark.parametrize("name", [*FIELDS][2:-1])
def test_what_counts_has_to_be_signed(name: str) -> None:
    names = ",".join(each for each in NAMES.split(",") if each != name)
    fields = signed(signed=names)
    assert refusal(lambda: read(fields)) == "openid-unsigned"


@pytest.mark.parametrize("name", [*FIELDS][2:-1])
def test_what_counts_has_to_be_there(name: str) -> None:
    fields = signed(**{name: None})
    with pytest.raises(AssertionRefused):
        read(fields)


@pytest.mark.parametrize(
    "names",
    ["", f"{NAMES},claimed_id", f"{NAMES},missing", f"{NAMES},", f"{NAMES},openid.x"],
)
def test_a_list_that_is_none_is_refused(names: str) -> None:
    fields = {**signed(), "signed": names}
    assert refusal(lambda: read(fields)) == "openid-unsigned"


def test_an_answer_without_signature_is_refused() -> None:
    fields = signed()
    del fields["sig"]
    assert refusal(lambda: read(fields)) == "openid-unsigned"


def test_what_an_extension_says_counts_if_it_is_signed() -> None:
    more = {"ns.sreg": SREG, "sreg.email": "alice@example.com"}
    names = f"{NAMES},ns.sreg,sreg.email"
    fields = {**signed(signed=names, **more), "sreg.nickname": "root"}
    assert read(fields).extension(SREG) == {"email": "alice@example.com"}


def test_an_extension_whose_name_is_not_signed_says_nothing() -> None:
    """Else what is signed for one could be read as another."""
    more = {"ns.sreg": SREG, "sreg.email": "alice@example.com"}
    fields = signed(signed=f"{NAMES},sreg.email", **more)
    assert read(fields).extension(SREG) == {}
    assert read(fields).extension("urn:other") == {}


def test_two_extensions_of_one_name_are_refused() -> None:
    fields = signed(**{"ns.a": SREG, "ns.b": SREG})
    assertion = read(fields)
    assert refusal(lambda: assertion.extension(SREG)) == "openid-assertion"


# (e) and (f) the signature, and whose it is


@pytest.mark.parametrize("name", [*FIELDS])
def test_a_change_of_what_is_signed_is_found(name: str) -> None:
    changed = {**FIELDS, "claimed_id": ALICE[:-1], "identity": ALICE[:-1]}
    others = {
        "response_nonce": f"{NONCE}x",
        "op_endpoint": "https://op.example/",
        "assoc_handle": "other",
        "signed": NAMES,
    }
    value = others.get(name, changed[name])
    if name in {"ns", "mode", "return_to"}:
        return  # only one value is taken at all
    assertion = read({**signed(), name: value})
    assert refusal(lambda: check_signature(assertion, KEY, NOW)) == "openid-signature"


@pytest.mark.parametrize(
    "sig", ["", "x", "AAAA", b64encode(bytes(32)).decode(), "=", "A" * 43, "ä"]
)
def test_a_signature_that_is_none_is_refused(sig: str) -> None:
    assertion = read({**signed(), "sig": sig})
    assert refusal(lambda: check_signature(assertion, KEY, NOW)) == "openid-signature"


def test_a_signature_has_one_spelling() -> None:
    right = signed()["sig"]
    for sig in (right.rstrip("="), f"{right} ", f" {right}", f"{right}AAAA"):
        assertion = read({**signed(), "sig": sig})
        with pytest.raises(AssertionRefused):
            check_signature(assertion, KEY, NOW)


def test_an_association_of_another_provider_signs_nothing() -> None:
    """Key confusion: attackers know the secret that their provider shares with us."""
    theirs = attrs.evolve(KEY, op_endpoint="https://evil.example/")
    assertion = read(signed_with(theirs))
    with pytest.raises(AssertionRefused, match="another provider"):
        check_signature(assertion, theirs, NOW)


def test_another_association_and_one_that_is_over_sign_nothing() -> None:
    assertion = read(signed_with(other := attrs.evolve(KEY, handle="other")))
    assert refusal(lambda: check_signature(assertion, other, NOW))
    right = read(signed())
    assert refusal(lambda: check_signature(right, KEY, KEY.expires))


@pytest.mark.parametrize("name", ["assoc_handle", "invalidate_handle"])
@pytest.mark.parametrize("handle", ["", "h" * 256, "a b", "ä"])
def test_a_handle_that_is_none_is_refused(name: str, handle: str) -> None:
    fields = signed(**{name: handle})
    assert refusal(lambda: read(fields)) == "openid-assertion"


@pytest.mark.parametrize("mode", ["cancel", "error", "setup_needed", "", "ID_RES"])
def test_another_answer_is_no_assertion(mode: str) -> None:
    fields = signed(mode=mode)
    assert refusal(lambda: read(fields)) == "openid-assertion"


def test_the_provider_is_asked_about_all_that_it_said() -> None:
    fields = signed(**{"ns.sreg": SREG, "invalidate_handle": "old"})
    asked = build_check(read(fields))
    assert asked[:2] == (("openid.ns", NS), ("openid.mode", "check_authentication"))
    rest = {name.removeprefix("openid."): value for name, value in asked[2:]}
    assert rest == {n: v for n, v in fields.items() if n not in {"ns", "mode"}}


def test_the_provider_says_whether_it_said_so() -> None:
    start = f"ns:{NS}\n".encode()
    assert read_check(200, start + b"is_valid:true\n") == Checked(is_valid=True)
    dropped = read_check(200, start + b"is_valid:false\ninvalidate_handle:old\n")
    assert dropped == Checked(is_valid=False, invalidate_handle="old")
    odd = read_check(200, start + b"is_valid:true\ninvalidate_handle:o ld\n")
    assert odd.invalidate_handle == ""


@pytest.mark.parametrize("value", ["True", "TRUE", "1", "yes", "", "false", "truetrue"])
def test_only_true_is_true(value: str) -> None:
    assert not read_check(200, f"ns:{NS}\nis_valid:{value}\n".encode()).is_valid


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, f"ns:{NS}\nis_valid:true\n"),
        (302, f"ns:{NS}\nis_valid:true\n"),
        (200, "is_valid:true\n"),
        (200, f"ns:{NS}\nis_valid:false\nis_valid:true\n"),
        (200, f"ns:{NS}\nerror:bad_handle\n"),
        (200, "<html>is_valid:true</html>"),
        (200, ""),
    ],
)
def test_what_is_no_answer_to_that_is_a_refusal(status: int, body: str) -> None:
    assert refusal(lambda: read_check(status, body.encode())) == "openid-signature"


TEXT = (
    st.text()
    | st.text(alphabet="0123456789-:TZ,a.#/%\n")
    | st.sampled_from([ALICE, OP])
)


@given(st.dictionaries(st.sampled_from([*FIELDS, "sig", "ns.a", "x"]), TEXT))
def test_no_answer_raises_anything_else(changes: dict[str, str]) -> None:
    try:
        assertion = read({**signed(), **changes})
        check_discovered(assertion, ENDPOINT)
        check_signature(assertion, KEY, NOW)
        assertion.extension(SREG)
    except (AssertionRefused, MessageError):
        pass


@given(st.binary())
def test_no_answer_about_an_answer_raises_anything_else(body: bytes) -> None:
    for each in (body, f"ns:{NS}\nis_valid:".encode() + body):
        with contextlib.suppress(AssertionRefused):
            read_check(200, each)
