"""Tokens that others presented are put in as what they are, and as nothing else."""

from base64 import b64decode, b64encode
from hashlib import sha1

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sso_proxy.specs.wstrust.names import (
    BASE64,
    PASSWORD_DIGEST,
    PASSWORD_TEXT,
    SAML2,
    WSSE,
    WSU,
)
from sso_proxy.specs.wstrust.source import (
    BinaryToken,
    UsernameToken,
    add_binary,
    add_text,
    add_username,
    read_assertion,
)
from sso_proxy.specs.xml import Element, XmlError, canonical, only_child, parse_xml

NAMES = f'xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}"'


def parent() -> Element:
    return etree.Element("p", nsmap={"wsse": WSSE, "wsu": WSU})


def test_a_name_alone_has_no_password() -> None:
    root = parent()
    add_username(root, UsernameToken(username="alice"), "now")
    assert canonical(root[0]).decode() == (
        f"<wsse:UsernameToken {NAMES}><wsse:Username>alice</wsse:Username>"
        "</wsse:UsernameToken>"
    )


def test_a_password_is_sent_as_text() -> None:
    root = parent()
    add_username(root, UsernameToken(username="alice", password="<p>"), "now")
    written = root[0][1]
    assert (written.text, written.get("Type")) == ("<p>", PASSWORD_TEXT)


def test_a_digest_is_of_nonce_time_and_password() -> None:
    """Password_Digest = Base64 ( SHA-1 ( nonce + created + password ) )."""
    root = parent()
    token = UsernameToken(username="alice", password="pä", nonce=b"n" * 16)
    add_username(root, token, "2026-11-22T10:00:00Z")
    added = root[0]
    password = only_child(added, WSSE, "Password")
    nonce = only_child(added, WSSE, "Nonce")
    created = only_child(added, WSU, "Created")
    assert password is not None
    assert nonce is not None
    assert created is not None
    material = b"n" * 16 + b"2026-11-22T10:00:00Z" + "pä".encode()
    expected = sha1(material).digest()  # noqa: S324
    assert password.get("Type") == PASSWORD_DIGEST
    assert b64decode(password.text or "") == expected
    assert (b64decode(nonce.text or ""), nonce.get("EncodingType")) == (
        b"n" * 16,
        BASE64,
    )
    assert created.text == "2026-11-22T10:00:00Z"


@given(value=st.binary())
def test_octets_are_in_base64(value: bytes) -> None:
    root = parent()
    add_binary(root, BinaryToken(value=value, value_type='urn:a"<b'))
    added = root[0]
    assert added.text == b64encode(value).decode()
    assert dict(added.attrib) == {"ValueType": 'urn:a"<b', "EncodingType": BASE64}


@pytest.mark.parametrize("text", ["\0", "a\x0b", "\ud800"])
def test_what_xml_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="XML cannot hold"):
        add_text(parent(), WSSE, "Username", text)
    with pytest.raises(ValueError, match="XML cannot hold"):
        add_username(parent(), UsernameToken(username="a", password=text), "now")
    with pytest.raises(ValueError, match="XML cannot hold"):
        add_binary(parent(), BinaryToken(value=b"", value_type=text))


def test_an_assertion_is_read_and_written_again() -> None:
    data = f"<?xml version='1.0'?>\n<Assertion xmlns='{SAML2}' ID = 'x'\n/>".encode()
    found = read_assertion(data).document
    assert found == f'<Assertion xmlns="{SAML2}" ID="x"></Assertion>'.encode()
    assert canonical(parse_xml(found)) == found


@pytest.mark.parametrize(
    "data",
    [
        b"<Assertion/>",
        f"<Response xmlns='{SAML2}'/>".encode(),
        f"<Assertion xmlns='{SAML2}'/><x/>".encode(),
        f"<!DOCTYPE x><Assertion xmlns='{SAML2}'/>".encode(),
        f"</wst:OnBehalfOf><Assertion xmlns='{SAML2}'/>".encode(),
        f"<Assertion xmlns='{SAML2}'>".encode(),
        b"token",
    ],
)
def test_what_is_no_assertion_is_not_put_in(data: bytes) -> None:
    with pytest.raises(XmlError):
        read_assertion(data)


def test_secrets_are_not_shown() -> None:
    shown = repr(
        (
            UsernameToken(username="alice", password="geheim", nonce=b"nonce!"),
            BinaryToken(value=b"geheim", value_type="urn:x"),
            read_assertion(f"<Assertion xmlns='{SAML2}'>geheim</Assertion>".encode()),
        )
    )
    assert "geheim" not in shown
    assert "nonce!" not in shown
