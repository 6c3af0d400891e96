"""The tokens that a request is made with or about (WSS 1.1 and its token profiles)."""

from base64 import b64encode
from hashlib import sha1
from typing import Final, TypeAlias

import attrs
from lxml import etree

from sso_proxy.specs.wstrust.names import (
    BASE64,
    PASSWORD_DIGEST,
    PASSWORD_TEXT,
    SAML1,
    SAML2,
    WSSE,
    WSU,
)
from sso_proxy.specs.xml import (
    Element,
    XmlError,
    canonical,
    check_text,
    name_of,
    parse_xml,
)

NONCE_OCTETS: Final = 16


@attrs.frozen(kw_only=True)
class UsernameToken:
    """
    A user name, and what proves it (Username Token Profile 1.1).

    Attributes:
        username: The name.
        password: The password; None sends the name alone.
        nonce: If there is one, the password is sent as a digest that is good for this
            message: 16 random octets.
    """

    username: str
    password: str | None = attrs.field(default=None, repr=False)
    nonce: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class BinaryToken:
    """
    Octets that are a token (WSS 1.1 section 6.3).

    Attributes:
        value: The octets.
        value_type: What they are: a URI.
    """

    value: bytes = attrs.field(repr=False)
    value_type: str


@attrs.frozen(kw_only=True)
class SamlAssertion:
    """
    An assertion, SAML 1.1 or 2.0 (SAML Token Profile 1.1).

    Attributes:
        document: Its canonical form; `read_assertion` makes it.
    """

    document: bytes = attrs.field(repr=False)


SourceToken: TypeAlias = UsernameToken | BinaryToken | SamlAssertion


def read_assertion(data: bytes) -> SamlAssertion:
    """
    Read an assertion that somebody presented.

    Raises:
        XmlError: It is none, or must not be read.
    """
    root = parse_xml(data)
    namespace, name = name_of(root)
    if namespace not in {SAML1, SAML2} or name not in {
        "Assertion",
        "EncryptedAssertion",
    }:
        raise XmlError("is no SAML assertion")
    return SamlAssertion(document=canonical(root))


def add_username(parent: Element, token: UsernameToken, created: str) -> None:
    """
    Add a user name to *parent*.

    Args:
        parent: Where it belongs.
        token: The name, and what proves it.
        created: The time of the message, which a digest is bound to.

    Raises:
        TextError: The name or the password has a character that XML cannot hold.
    """
    added = etree.SubElement(parent, etree.QName(WSSE, "UsernameToken"))
    add_text(added, WSSE, "Username", token.username)
    if token.password is None:
        return
    if not token.nonce:
        written = add_text(added, WSSE, "Password", token.password)
        written.set("Type", PASSWORD_TEXT)
        return
    # The profile knows SHA-1 alone; what it is good for is in the nonce and the time.
    material = token.nonce + created.encode("ascii") + token.password.encode("utf-8")
    digest = b64encode(sha1(material).digest())  # noqa: S324
    written = add_text(added, WSSE, "Password", digest.decode("ascii"))
    written.set("Type", PASSWORD_DIGEST)
    nonce = add_text(added, WSSE, "Nonce", b64encode(token.nonce).decode("ascii"))
    nonce.set("EncodingType", BASE64)
    add_text(added, WSU, "Created", created)


def add_binary(parent: Element, token: BinaryToken) -> None:
    """
    Add octets to *parent*.

    Raises:
        TextError: The type has a character that XML cannot hold.
    """
    check_text(token.value_type)
    value = b64encode(token.value).decode("ascii")
    added = add_text(parent, WSSE, "BinarySecurityToken", value)
    added.set("ValueType", token.value_type)
    added.set("EncodingType", BASE64)


def add_text(parent: Element, namespace: str, name: str, text: str) -> Element:
    """
    Add an element with *text* in it.

    Raises:
        TextError: XML cannot hold the text.
    """
    check_text(text)
    added = etree.SubElement(parent, etree.QName(namespace, name))
    added.text = text
    return added
