"""The examples of RFC 9421 appendix B."""

import tomllib
from base64 import b64decode
from pathlib import Path
from typing import Any

from sso_proxy.specs.http.signature import SignedRequest, read_field_lines
from sso_proxy.specs.http.signature_keys import (
    RequestCheckKey,
    read_check_key,
    read_check_secret,
)
from sso_proxy.specs.http.structured import InnerList, read_dictionary

_FILE = Path(__file__).parents[1] / "data" / "signatures" / "rfc9421.toml"
_RFC: dict[str, Any] = tomllib.loads(_FILE.read_text())

EXAMPLES: list[dict[str, Any]] = _RFC["signature"]
OF_REQUESTS = [example for example in EXAMPLES if example["message"]]


def example_named(section: str) -> dict[str, Any]:
    """Give one example."""
    return next(each for each in EXAMPLES if each["section"] == section)


def example_request(example: dict[str, Any], **more: str) -> SignedRequest:
    """Give the message of an example, perhaps with other fields."""
    message = _RFC["message"][example["message"]]
    lines = message["fields"].strip().replace("\n", "\r\n") + "\r\n"
    fields = read_field_lines(lines.encode())
    return SignedRequest(
        method=message["method"],
        target=message["target"],
        scheme="https",
        fields=fields | {name.replace("_", "-"): (v,) for name, v in more.items()},
    )


def example_covered(example: dict[str, Any]) -> InnerList:
    """Give the components of an example."""
    covered = read_dictionary(f"x={example['input']}")["x"]
    assert isinstance(covered, InnerList)
    return covered


def example_key(name: str) -> RequestCheckKey:
    """Give the key that checks an example."""
    key = _RFC["key"][name]
    if "secret" in key:
        return read_check_secret(b64decode(key["secret"]))
    return read_check_key(key["public"].encode(), key["alg"])


def example_private(name: str) -> bytes:
    """Give the private key that made an example, or the secret."""
    key = _RFC["key"][name]
    return b64decode(key["secret"]) if "secret" in key else key["private"].encode()
