"""What ``[route.signature]`` must not say."""

import re
from collections.abc import Iterator
from typing import Final

from sso_proxy.config.draft import Draft, Placed
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.names import FIELD_NAME, NEVER_MANAGED
from sso_proxy.config.signature_parts import CONTENT_DIGEST, IDENTITY, SignatureConfig
from sso_proxy.config.structure import join
from sso_proxy.errors import Mistake
from sso_proxy.specs.http.signature import DERIVED

_LABEL: Final = re.compile(r"[a-z*][a-z0-9_.*-]*")
_TEXT: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_CHANGING: Final = NEVER_MANAGED - {"host", "content-length"}
"""Fields of one connection: the next proxy on the way may change them."""


def check_signatures(draft: Draft) -> Iterator[Mistake]:
    """Check how each route's requests are signed."""
    for route in draft.routes:
        signature = route.value.signature
        if signature is not None:
            path = join(route.path, "signature")
            yield from _check_key(path, signature)
            yield from _check_texts(path, signature)
            yield from _check_components(join(path, "components"), signature)
            yield from _check_effect(path, signature, route)


def _check_key(path: str, signature: SignatureConfig) -> Iterator[Mistake]:
    """Check that there is one key, and that the algorithm is of its kind."""
    if (signature.key is None) == (signature.secret is None):
        yield Mistake(join(path, "key"), "write either key or secret_file")
    is_mac = signature.alg == "hmac-sha256"
    if signature.key is not None and is_mac:
        yield Mistake(join(path, "alg"), "needs a secret, and no key")
    if signature.secret is not None and signature.alg is not None and not is_mac:
        problem = "needs a key; a secret is for 'hmac-sha256'"
        yield Mistake(join(path, "alg"), problem)
    if signature.secret is not None and signature.keyid is None:
        problem = "is missing: a secret has no name that could be told"
        yield Mistake(join(path, "keyid"), problem)


def _check_texts(path: str, signature: SignatureConfig) -> Iterator[Mistake]:
    """Check what stands in the signature as it is."""
    if not _LABEL.fullmatch(signature.label):
        problem = f"{signature.label!r} must be small letters, digits, '-', '_' and '.'"
        yield Mistake(join(path, "label"), problem)
    for name, text in (("tag", signature.tag), ("keyid", signature.keyid)):
        if text is not None and not _TEXT.fullmatch(text):
            yield Mistake(join(path, name), f"{text!r} must be visible ASCII")


def _check_components(path: str, signature: SignatureConfig) -> Iterator[Mistake]:
    """Check each component that is signed."""
    seen = set()
    for number, name in enumerate(signature.components):
        place = join(path, number)
        if name in seen:
            yield Mistake(place, f"{name!r} stands here twice")
        seen.add(name)
        problem = _problem_of(name, digest=signature.digest)
        if problem:
            yield Mistake(place, problem)


def _problem_of(name: str, *, digest: bool) -> str:
    """Say what is wrong with a component, if anything is."""
    if name.startswith("@"):
        return _problem_of_derived(name)
    if name == IDENTITY:
        return ""
    if name in {"signature", "signature-input"}:
        return f"{name} cannot be signed by itself"
    if name == CONTENT_DIGEST and not digest:
        return "is the client's, and proves nothing; write digest = true"
    if name in _CHANGING:
        return f"{name} is for one connection, and may change on the way"
    fits = name == name.lower() and FIELD_NAME.fullmatch(name)
    return "" if fits else f"{name!r} is no header field's name in small letters"


def _problem_of_derived(name: str) -> str:
    """Say what is wrong with a derived component, if anything is."""
    if name in DERIVED:
        return ""
    if name == "@query-param":
        return "@query covers all parameters"
    return f"{name!r} is none of {', '.join(sorted(DERIVED))}"


def _check_effect(
    path: str, signature: SignatureConfig, route: Placed[RouteConfig]
) -> Iterator[Mistake]:
    """Check that nothing is written in vain."""
    if route.value.backend.startswith("static:"):
        yield Mistake(path, "has no effect: files check no signatures")
    raw = route.raw.get("signature")
    if isinstance(raw, dict) and "body_bytes" in raw and not signature.digest:
        yield Mistake(join(path, "body_bytes"), "has no effect without digest = true")
