"""Tests for `sso_proxy.authn.token_binding`."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from sso_proxy.authn.token_binding import TokenBinding, TokenBindingConfig
from sso_proxy.model import Request, TokenBindings, Unbound
from sso_proxy.testing.checks import check_binding, outcome_of
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request
from sso_proxy.testing.token_binding import BindingKey
from tests.support.binding_scene import binding_scene

OURS, OTHER = BindingKey.create().id, BindingKey.create().id


def with_key(*, referred: bool = False) -> Request:
    told = TokenBindings(provided=OURS, referred=OTHER if referred else None)
    return attrs.evolve(make_request(), token_binding=told)


def check(request: Request, confirmation: dict[str, Any]) -> str | None:
    binding = TokenBinding.from_config(TokenBindingConfig(), FakeTools())
    identity = make_identity(confirmation=confirmation)
    answer: Unbound | None = outcome_of(binding.check(request, identity))
    return answer if answer is None else answer.reason


def test_the_key_that_is_proved_satisfies() -> None:
    assert check(with_key(), {"tbh": OURS.hash}) is None


def test_another_key_does_not() -> None:
    assert check(with_key(), {"tbh": OTHER.hash}) == "token-binding-mismatch"


def test_the_key_for_another_site_does_not() -> None:
    """Whoever has a token may tell us of its owner's key as of a referred one."""
    request = with_key(referred=True)
    assert check(request, {"tbh": OTHER.hash}) == "token-binding-mismatch"


@pytest.mark.parametrize(
    "text",
    [OURS.hash.lower(), OURS.hash + "=", OURS.hash[:-1], OURS.encoded],
    ids=["in small letters", "padded", "cut short", "the key itself"],
)
def test_the_hash_is_compared_as_it_is(text: str) -> None:
    reasons = {"token-binding-mismatch", "cnf-malformed"}
    assert check(with_key(), {"tbh": text}) in reasons


def test_without_token_binding_nothing_is_bound() -> None:
    assert check(make_request(), {"tbh": OURS.hash}) == "token-binding-missing"


@pytest.mark.parametrize("confirmation", [{}, {"jkt": OURS.hash}])
def test_an_identity_without_the_member_is_not_bound(
    confirmation: dict[str, Any],
) -> None:
    assert check(with_key(), confirmation) == "not-token-binding-bound"


@pytest.mark.parametrize("value", [None, 1, True, [OURS.hash], {}, "é", ""])
def test_a_malformed_member_is_not_satisfied(value: object) -> None:
    assert check(with_key(), {"tbh": value}) == "cnf-malformed"


def test_it_keeps_the_contract_of_bindings() -> None:
    identity = make_identity(confirmation={"tbh": OURS.hash})
    check_binding(TokenBinding, [(with_key(), identity)])


def test_a_bound_token_is_good_with_its_key_alone(tmp_path: Path) -> None:
    """Over real TLS, with no word about it in the configuration."""
    with binding_scene(tmp_path) as scene:
        owner = scene.connect()
        token = scene.token(cnf={"tbh": owner.key.id.hash})
        assert owner.prove(token, path="/token/").status == 200
        again = scene.connect(key=owner.key)
        assert again.prove(token, path="/token/").status == 200
        assert scene.connect().prove(token, path="/token/").status == 401
        assert scene.connect(listener=1).ask(token, path="/token/").status == 401
        assert owner.prove(token, path="/token/other").status == 200
        assert owner.prove(scene.token(), path="/token/").status == 200
        assert len(scene.seen()) == 4
