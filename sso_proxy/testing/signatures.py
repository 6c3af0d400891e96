"""Check requests that the proxy has signed, as a backend's tests may do it."""

import re
from collections.abc import Mapping

import attrs

from sso_proxy.specs.http.digest import check_content_digest
from sso_proxy.specs.http.signature import SignedRequest, read_field_lines
from sso_proxy.specs.http.signature_check import (
    SignatureError,
    SignatureRules,
    Verified,
    check_signature,
)
from sso_proxy.specs.http.signature_keys import RequestCheckKey

_line = re.compile(rb"([A-Z]+) (/[\x21-\x7e]*|\*) HTTP/1\.[01]").fullmatch


@attrs.frozen
class Received:
    """
    A request as it came from the network.

    Attributes:
        request: What a signature can cover.
        content: The content; framing other than ``Content-Length`` is not read.
    """

    request: SignedRequest
    content: bytes = attrs.field(repr=False)


def read_received(octets: bytes, *, scheme: str = "http") -> Received:
    """
    Read one whole request.

    Args:
        octets: All of it, from the request line on.
        scheme: How it came: ``http`` or ``https``.

    Raises:
        ValueError: It is no request of HTTP/1.
    """
    head, end, content = octets.partition(b"\r\n\r\n")
    line, _, lines = head.partition(b"\r\n")
    match = _line(line)
    if match is None or not end:
        raise ValueError("this is no whole request")
    request = SignedRequest(
        method=match[1].decode("ascii"),
        target=match[2].decode("ascii"),
        scheme=scheme,
        fields=read_field_lines(lines + b"\r\n"),
    )
    return Received(request, content)


def verify_received(
    octets: bytes,
    keys: Mapping[str, RequestCheckKey],
    rules: SignatureRules,
    *,
    now: float,
    scheme: str = "http",
) -> Verified:
    """
    Check one whole request: its signature, and its content if that is signed.

    Args:
        octets: All of it, from the request line on.
        keys: Those that are trusted, by ``keyid``.
        rules: What is demanded; with ``content-digest`` among the components, content
            that is not signed is refused.
        now: Seconds since the epoch.
        scheme: How it came.

    Raises:
        SignatureError: It is not signed like that.
        ValueError: It is no request of HTTP/1.
    """
    received = read_received(octets, scheme=scheme)
    found = check_signature(received.request, keys, rules, now=now)
    digest = found.values.get("content-digest")
    if digest is not None:
        try:
            check_content_digest(digest, received.content)
        except ValueError as e:
            raise SignatureError(str(e)) from None
    return found
