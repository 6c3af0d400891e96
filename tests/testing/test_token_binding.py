"""The keys that tests sign with are keys as RFC 8471 has them."""

import pytest

from sso_proxy.specs.token_binding import PROVIDED, REFERRED, read_field, verify
from sso_proxy.specs.token_binding_keys import KEY_PARAMETERS, check_id
from sso_proxy.testing.token_binding import (
    BindingKey,
    build_binding,
    make_binding,
    make_header,
    prove,
)

EKM = bytes(32)


@pytest.mark.parametrize("parameters", KEY_PARAMETERS)
def test_a_key_of_each_kind_proves_itself(parameters: int) -> None:
    key, other = BindingKey.create(parameters), BindingKey.create()
    check_id(key.id)
    assert verify(prove(key, EKM), EKM, parameters).provided == key.id
    found = verify(prove(key, EKM, other), EKM, parameters)
    assert (found.provided, found.referred) == (key.id, other.id)


def test_whatever_is_asked_for_is_made() -> None:
    key = BindingKey.create()
    binding = build_binding(77, key.id.raw, bytes(64), [(9, b"more")])
    (found,) = read_field(make_header(binding))
    assert (found.type, found.extensions) == (77, ((9, b"more"),))
    twice = make_binding(key, EKM, PROVIDED), make_binding(key, EKM, REFERRED)
    assert [each.type for each in read_field(make_header(*twice))] == [0, 1]


def test_a_private_key_is_not_shown() -> None:
    assert "private" not in repr(BindingKey.create())
