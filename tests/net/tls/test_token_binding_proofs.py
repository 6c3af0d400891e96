"""What is proved on one connection is proved nowhere else."""

import contextlib
import gc
from typing import TYPE_CHECKING

import pytest

from sso_proxy.specs.token_binding_keys import TokenBindingError
from sso_proxy.testing.token_binding import BindingKey, prove
from tests.support.binding_lab import bind, ekm, proof_of, reason

if TYPE_CHECKING:
    from sso_proxy.net.tls.context import ListenerTls
    from tests.net.tls.conftest import Lab


@pytest.fixture
def tls(lab: "Lab") -> "ListenerTls":
    return lab.listener(token_binding=True)


def test_a_header_of_one_connection_is_refused_on_another_and_stays_refused(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    """Also after many others: mod_token_binding's cache of messages was everybody's."""
    _, victim = bind(lab, tls)
    stolen = proof_of(victim)
    assert victim.facts.read_token_bindings([stolen]) is not None
    _, thief = bind(lab, tls)
    for _ in range(20):
        assert reason(thief, stolen) == "signature"
        _, other = bind(lab, tls)
        assert other.facts.read_token_bindings([proof_of(other)]) is not None
        assert reason(other, stolen) == "signature"
        assert victim.facts.read_token_bindings([stolen]) is not None
    own = prove(BindingKey.create(), ekm(thief.client))
    assert thief.facts.read_token_bindings([own]) is not None
    assert reason(thief, stolen) == "signature"


def test_no_two_connections_are_alike(lab: "Lab", tls: "ListenerTls") -> None:
    """What was decided for one must not be found by those that are like it."""
    one, two = (bind(lab, tls)[1].facts for _ in range(2))
    assert one != two
    assert len({one, two}) == 2
    for facts in (one, bind(lab, tls, None)[1].facts):
        assert not facts.exported
        with contextlib.suppress(TokenBindingError):
            facts.read_token_bindings([])
        assert facts.exported
    plain = lab.listener()
    assert len({bind(lab, plain, None)[1].facts for _ in range(2)}) == 1


def test_each_request_has_exactly_one_header(lab: "Lab", tls: "ListenerTls") -> None:
    _, shaken = bind(lab, tls)
    header = proof_of(shaken)
    assert reason(shaken) == "missing"
    assert reason(shaken, header, header) == "repeated"
    assert shaken.facts.read_token_bindings([header]) is not None
    assert reason(shaken) == "missing"
    assert reason(shaken, "") == "malformed"


def test_another_kind_of_key_than_agreed_on_is_refused(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    _, shaken = bind(lab, tls, b"\x01\x00\x01\x01")
    assert reason(shaken, proof_of(shaken)) == "key-parameters"


def test_a_header_that_comes_again_is_not_checked_again(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    _, shaken = bind(lab, tls)
    one, two = proof_of(shaken), proof_of(shaken)
    assert one != two
    found = shaken.facts.read_token_bindings([one])
    assert shaken.facts.read_token_bindings([one]) is found
    again = shaken.facts.read_token_bindings([two])
    assert again is not found
    assert again == found


def test_a_connection_that_is_gone_proves_nothing(
    lab: "Lab", tls: "ListenerTls"
) -> None:
    _, shaken = bind(lab, tls)
    facts, header = shaken.facts, proof_of(shaken)
    del shaken
    gc.collect()
    with pytest.raises(ValueError, match="closed"):
        facts.read_token_bindings([header])
