import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.config.model import ClientCertificate
from sso_proxy.net.tls.rules import ClientRules, digest, strictest
from sso_proxy.testing.pki import Pki

ONE, TWO = Pki.create("One").certificate, Pki.create("Two").certificate
MODES: list[ClientCertificate] = ["none", "optional_no_ca", "optional", "required"]


def _rules(mode: ClientCertificate, *authorities: object) -> ClientRules:
    return ClientRules(mode=mode, authorities=authorities)  # type: ignore[arg-type]


def test_the_order_of_cas_does_not_matter() -> None:
    one, two = _rules("optional", ONE, TWO), _rules("optional", TWO, ONE)
    assert one.policy == two.policy


def test_without_client_certificates_cas_do_not_matter() -> None:
    assert _rules("none", ONE).policy == _rules("none").policy == "none"


@given(st.lists(st.sampled_from(MODES)), st.sampled_from(MODES))
def test_the_strictest_mode_of_all_counts(
    modes: list[ClientCertificate], own: ClientCertificate
) -> None:
    chosen = strictest(_rules(own, ONE), [_rules(mode, ONE) for mode in modes])
    assert MODES.index(chosen.mode) == max(map(MODES.index, [own, *modes]))


def test_the_listeners_own_rules_count_if_none_are_stricter() -> None:
    own = _rules("required", ONE)
    assert strictest(own, [_rules("required", TWO)]) is own


def test_the_strictest_names_rules_count_if_they_agree() -> None:
    strict = _rules("required", ONE)
    names = [strict, _rules("required", ONE), _rules("optional", TWO)]
    assert strictest(_rules("none"), names).policy == strict.policy


def test_no_ca_counts_if_the_strictest_names_disagree() -> None:
    names = [_rules("required", ONE), _rules("required", TWO)]
    assert strictest(_rules("none"), names).authorities == ()


@pytest.mark.parametrize("mode", MODES)
def test_only_optional_no_ca_is_tolerant(mode: ClientCertificate) -> None:
    assert _rules(mode).tolerant is (mode == "optional_no_ca")


@given(st.lists(st.binary(max_size=3)), st.lists(st.binary(max_size=3)))
def test_different_sequences_have_different_hashes(
    one: list[bytes], two: list[bytes]
) -> None:
    assert (digest(one) == digest(two)) is (one == two)
