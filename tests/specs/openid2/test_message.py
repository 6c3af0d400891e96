"""Messages are read in one way only."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openid.kvform import kvToDict

from sso_proxy.specs.openid2.message import (
    MAX_ANSWER,
    MAX_MESSAGE,
    MessageError,
    build_fields,
    read_key_values,
    read_message,
    write_key_values,
)
from sso_proxy.specs.openid2.names import NS

START = "openid.ns=http%3A%2F%2Fspecs.openid.net%2Fauth%2F2.0"


def test_fields_and_other_parameters_are_told_apart() -> None:
    message = read_message(f"login=a%26b&{START}&openid.mode=id_res&x=1+2&login=c")
    assert message.fields == {"ns": NS, "mode": "id_res"}
    assert message.mode == "id_res"
    assert message.get("mode") == "id_res"
    assert message.get("sig") is None
    assert message.names == {"ns", "mode"}
    assert message.others == (("login", "a&b"), ("x", "1 2"), ("login", "c"))


def test_fields_come_in_a_form_beside_a_query_of_ours() -> None:
    message = read_message("login=a", f"{START}&openid.mode=cancel&submit=Continue")
    assert message.mode == "cancel"
    assert message.others == (("login", "a"),)


REFUSED = {
    "a field twice": (f"{START}&openid.mode=a&openid.mode=a", None),
    "the namespace twice": (f"{START}&{START}", None),
    "a field twice, escaped": (f"{START}&openid.mode=a&%6fpenid.mode=b", None),
    "a field in query and form": ("openid.mode=a", f"{START}&openid.mode=a"),
    "fields in query and form": ("openid.identity=a", START),
    "a line feed": (f"{START}&openid.identity=a%0Aclaimed_id:b", None),
    "a carriage return": (f"{START}&openid.identity=a%0D", None),
    "a null": (f"{START}&openid.identity=a%00", None),
    "another line end": (f"{START}&openid.identity=a%E2%80%A8b", None),
    "a colon in a name": (f"{START}&openid.a%3Ab=c", None),
    "a line feed in a name": (f"{START}&openid.a%0Ab=c", None),
    "no name": (f"{START}&openid.=c", None),
    "no utf-8": (f"{START}&openid.a=%FF", None),
    "overlong utf-8": (f"{START}&openid.a=%C0%8A", None),
    "half a pair": (f"{START}&openid.a=%ED%A0%80", None),
    "a bad escape": (f"{START}&openid.a=%4", None),
    "a worse escape": (f"{START}&openid.a=%zz", None),
    "raw octets": (f"{START}&openid.a=\xe4", None),
    "too many fields": (START + "".join(f"&openid.a{n}=" for n in range(100)), None),
    "too many parameters": (START + "&a" * 201, None),
    "too long": (f"{START}&openid.a={'a' * MAX_MESSAGE}", None),
    "too long in both": ("a" * 40000, f"{START}&openid.a={'a' * 40000}"),
    "an extension called like a field": (f"{START}&openid.ns.sig=urn:a", None),
    "another field twice": (f"{START}&openid.unknown=1&openid.unknown=1", None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_be_read_in_two_ways_is_refused(case: str) -> None:
    with pytest.raises(MessageError) as refused:
        read_message(*REFUSED[case])
    assert refused.value.reason == "openid-message"


@pytest.mark.parametrize(
    "query", [None, "", "openid.mode=id_res", f"{START}x", "openid.ns=", "ns=a"]
)
def test_other_versions_are_refused(query: str | None) -> None:
    with pytest.raises(MessageError) as refused:
        read_message(query)
    assert refused.value.reason == "openid-version"


def test_a_semicolon_is_a_part_of_a_value() -> None:
    message = read_message(f"{START}&openid.mode=id_res;openid.mode=cancel")
    assert message.mode == "id_res;openid.mode=cancel"


def test_an_extension_has_one_name() -> None:
    message = read_message(f"{START}&openid.ns.s=urn:a&openid.ns.t=urn:b&openid.s.x=1")
    assert message.alias_of("urn:a") == "s"
    assert message.alias_of("urn:c") is None
    twice = read_message(f"{START}&openid.ns.s=urn:a&openid.ns.t=urn:a")
    with pytest.raises(MessageError):
        twice.alias_of("urn:a")


def test_fields_get_their_prefix_and_the_namespace() -> None:
    assert build_fields([("mode", "associate")]) == (
        ("openid.ns", NS),
        ("openid.mode", "associate"),
    )


def test_lines_are_read() -> None:
    text = b"ns:http://specs.openid.net/auth/2.0\nmode: error \r\nerror:a: b"
    assert read_key_values(text) == {"ns": NS, "mode": "error", "error": "a: b"}
    assert read_key_values(b"") == {}


LINES = {
    "no line": b"abc",
    "an empty line": b"a:b\n\nc:d\n",
    "a name twice": b"is_valid:true\nis_valid:false\n",
    "no name": b":a\n",
    "html": b"<html><a href='http://a'>",
    "a control character": b"a:b\x00\n",
    "a carriage return inside": b"a:b\rc:d\n",
    "no utf-8": b"a:\xff\n",
    "too long": b"a:" + b"b" * MAX_ANSWER,
    "too many": b"".join(b"a%d:b\n" % n for n in range(101)),
}


@pytest.mark.parametrize("case", LINES)
def test_what_is_no_lines_is_refused(case: str) -> None:
    with pytest.raises(MessageError):
        read_key_values(LINES[case])


def test_what_is_signed_are_lines() -> None:
    assert write_key_values([("a", "b"), ("ns.x", "ü")]) == "a:b\nns.x:ü\n".encode()


@pytest.mark.parametrize(
    "pair", [("a", "b\nc:d"), ("a:b", "c"), ("a\n", "b"), ("", "a")]
)
def test_what_would_be_another_line_is_never_signed(pair: tuple[str, str]) -> None:
    with pytest.raises(MessageError):
        write_key_values([pair])


NAMES = st.from_regex(r"[a-z_]{1,10}(\.[a-z]{1,10})?", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])).map(
    str.strip
)


@given(st.dictionaries(NAMES, VALUES, max_size=20))
def test_lines_mean_what_another_implementation_reads(fields: dict[str, str]) -> None:
    fields = {
        name: value for name, value in fields.items() if not value.startswith(" ")
    }
    lines = write_key_values(fields.items())
    assert read_key_values(lines) == fields
    assert kvToDict(lines.decode()) == fields


@given(st.text() | st.text(alphabet="openid.=&%0a;+x"), st.none() | st.text())
def test_no_message_raises_anything_else(query: str, form: str | None) -> None:
    for text in (query, f"{START}&{query}"):
        with contextlib.suppress(MessageError):
            read_message(text, form)


@given(st.binary())
def test_no_lines_raise_anything_else(octets: bytes) -> None:
    with contextlib.suppress(MessageError):
        read_key_values(octets)
