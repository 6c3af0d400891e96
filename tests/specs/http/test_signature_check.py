"""Checking the signature of a request."""

from typing import Any

import attrs
import pytest

from sso_proxy.specs.http.signature import (
    SignatureParameters,
    SignedRequest,
    cover,
    sign_request,
)
from sso_proxy.specs.http.signature_check import (
    SignatureError,
    SignatureRules,
    Verified,
    check_signature,
)
from sso_proxy.specs.http.signature_keys import (
    RequestCheckKey,
    read_check_secret,
    read_request_secret,
)
from sso_proxy.specs.http.structured import InnerList
from tests.support.signatures import example_key, example_named, example_request

KEY = read_request_secret(b"s" * 32, keyid="k")
KEYS = {"k": read_check_secret(b"s" * 32)}
NOW = 1_000_000
RULES = SignatureRules(fields=("x-remote-user",))
REQUEST = SignedRequest(
    method="GET",
    target="/orders?id=1",
    scheme="http",
    fields={"host": ("app.example.com",), "x-remote-user": ("alice",)},
)
PARAMETERS = SignatureParameters(
    created=NOW, expires=NOW + 30, nonce="n", alg="hmac-sha256", keyid="k", tag="t"
)
NAMES = ("@method", "@authority", "@path", "@query", "x-remote-user")


def signed(
    names: tuple[str, ...] = NAMES,
    request: SignedRequest = REQUEST,
    **parameters: Any,  # noqa: ANN401
) -> SignedRequest:
    """Sign a request."""
    told = attrs.evolve(PARAMETERS, tag="sso-proxy", **parameters)
    covered = InnerList(cover(names, request), told.listed())
    made = sign_request(covered, request, label="sso", sign=KEY.sign)
    return with_fields(request, signature_input=made[0], signature=made[1])


def with_fields(request: SignedRequest, **fields: str) -> SignedRequest:
    """Give a request other fields."""
    more = {name.replace("_", "-"): (value,) for name, value in fields.items()}
    return attrs.evolve(request, fields={**request.fields, **more})


def check(
    request: SignedRequest,
    rules: SignatureRules = RULES,
    keys: dict[str, RequestCheckKey] | None = None,
    now: float = NOW,
) -> Verified:
    """Check a request."""
    return check_signature(request, KEYS if keys is None else keys, rules, now=now)


def test_a_signed_request_is_accepted() -> None:
    """And says what is known now."""
    found = check(signed())
    assert (found.label, found.keyid, found.created) == ("sso", "k", NOW)
    assert found.nonce == "n"
    assert found.values["x-remote-user"] == "alice"
    assert found.values["@path"] == "/orders"
    assert "alice" not in repr(found)


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "POST"},
        {"target": "/orders?id=2"},
        {"target": "/orders"},
        {"target": "/admin?id=1"},
        {"fields": {"x-remote-user": ("root",)}},
        {"fields": {"x-remote-user": ("alice", "root")}},
        {"fields": {"host": ("other.example.com",)}},
    ],
)
def test_what_was_changed_on_the_way_is_refused(changed: dict[str, Any]) -> None:
    """Method, path, query, user and host, each by itself."""
    request = signed()
    fields = {**request.fields, **changed.pop("fields", {})}
    with pytest.raises(SignatureError, match="signature"):
        check(attrs.evolve(request, fields=fields, **changed))


@pytest.mark.parametrize("name", [*NAMES, "content-digest"])
def test_what_is_demanded_has_to_be_covered(name: str) -> None:
    """What the signature leaves out anybody may have written."""
    request = with_fields(REQUEST, content_digest="sha-256=:AAAA:")
    names = tuple(each for each in NAMES if each != name)
    rules = attrs.evolve(RULES, fields=("x-remote-user", "content-digest"))
    with pytest.raises(SignatureError, match=f"cover {name}|cover .*{name}"):
        check(signed(names, request), rules)


def test_a_user_who_was_added_is_refused() -> None:
    """A request of nobody does not become somebody's."""
    nobody = attrs.evolve(REQUEST, fields={"host": ("app.example.com",)})
    request = signed(request=nobody)
    assert "x-remote-user" not in check(request).values
    with pytest.raises(SignatureError, match="cover x-remote-user"):
        check(with_fields(request, x_remote_user="root"))


def test_a_part_of_a_field_does_not_cover_it() -> None:
    """One parameter of the query is not the query."""
    request = signed()
    told = request.fields["signature-input"][0]
    part = told.replace('"@query"', '"@query-param";name="id"')
    with pytest.raises(SignatureError, match="cover @query"):
        check(with_fields(request, signature_input=part))


@pytest.mark.parametrize(
    ("parameters", "now", "problem"),
    [
        ({"created": NOW + 60, "expires": None}, NOW, "future"),
        ({"expires": None}, NOW + 66, "too old"),
        ({}, NOW + 36, "expired"),
        ({"keyid": "other"}, NOW, "key is not known"),
        ({"alg": "ed25519"}, NOW, "algorithm"),
    ],
)
def test_parameters_are_checked(
    parameters: dict[str, Any], now: int, problem: str
) -> None:
    """Times, key and algorithm."""
    with pytest.raises(SignatureError, match=problem):
        check(signed(**parameters), now=now)


def test_clocks_may_differ_a_little() -> None:
    """By a few seconds in either direction."""
    check(signed(), now=NOW - 5)
    check(signed(), now=NOW + 35)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"created={NOW}", "created"),
        (f";created={NOW}", ""),
        (f"created={NOW}", f'created="{NOW}"'),
        ('keyid="k"', "keyid=k"),
        ('alg="hmac-sha256"', "alg=1"),
        ('nonce="n"', "nonce=1"),
        ('tag="sso-proxy"', 'tag="other"'),
        ('tag="sso-proxy"', "tag=sso-proxy"),
        ("sso=(", "sso=x, other=("),
        ("sso=(", "sso=("[:-1]),
        ('"@path"', '"@path" "@path"'),
        ('"@path"', '"@path" "absent"'),
    ],
)
def test_malformed_signatures_are_refused(old: str, new: str) -> None:
    """Each part has to be what it is in the standard."""
    request = signed()
    told = request.fields["signature-input"][0]
    assert old in told
    with pytest.raises(SignatureError):
        check(with_fields(request, signature_input=told.replace(old, new)))


def test_labels_choose_nothing() -> None:
    """A label is not signed: another one holds as well, and two of a tag never."""
    request = signed()
    told, made = (request.fields[name][0] for name in ("signature-input", "signature"))
    other = told.replace("sso=", "x=", 1), made.replace("sso=", "x=", 1)
    renamed = with_fields(request, signature_input=other[0], signature=other[1])
    assert check(renamed).label == "x"
    both = with_fields(
        request,
        signature_input=f"{told}, {other[0]}",
        signature=f"{made}, {other[1]}",
    )
    with pytest.raises(SignatureError, match="exactly one"):
        check(both)


def test_signatures_for_others_are_not_looked_at() -> None:
    """One beside ours, from somebody else, is no hindrance."""
    request = signed()
    told, made = (request.fields[name] for name in ("signature-input", "signature"))
    more = 'sig1=("@method");created=1;keyid="z"'
    fields = {"signature-input": (*told, more), "signature": (*made, "sig1=:AAAA:")}
    check(attrs.evolve(request, fields={**request.fields, **fields}))


@pytest.mark.parametrize("signature", ["", "sso=:AAAA:", "sso=x", "other=:AAAA:", "("])
def test_no_signature_is_no_signature(signature: str) -> None:
    """Nothing there, something else there, or of another label."""
    with pytest.raises(SignatureError):
        check(with_fields(signed(), signature=signature))
    with pytest.raises(SignatureError, match="exactly one"):
        check(REQUEST)


def test_a_nonce_can_be_demanded() -> None:
    """That it is new is for who keeps them."""
    rules = attrs.evolve(RULES, nonce=True)
    check(signed(), rules)
    with pytest.raises(SignatureError, match="nonce"):
        check(signed(nonce=None), rules)


def test_octets_beyond_ascii_are_covered() -> None:
    """Wrapped ones count, and are given as they came."""
    request = with_fields(REQUEST, x_remote_user="Zo\xc3\xab")
    found = check(signed(request=request))
    assert found.values["x-remote-user"] == "Zo\xc3\xab"


def test_the_proxy_of_the_standard_is_believed() -> None:
    """RFC 9421 appendix B.3 covers the client's certificate; it has no tag."""
    example = example_named("B.3")
    keys = {example["key"]: example_key(example["key"])}
    told = f"ttrp={example['input']}"
    value = f"ttrp=:{example['value']}:"
    request = example_request(example, signature_input=told, signature=value)
    rules = attrs.evolve(RULES, tag="", fields=("client-cert",))
    found = check_signature(request, keys, rules, now=1618884475)
    assert found.values["client-cert"].startswith(":MIIBqDCCAU6g")
    with pytest.raises(SignatureError, match="exactly one"):
        check_signature(request, keys, RULES, now=1618884475)
