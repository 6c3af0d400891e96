"""Users keep the names that they had with Apache."""

import attrs
import pytest

from sso_proxy.mappers.mod_auth_openidc import RemoteUserConfig, RemoteUserMapper
from sso_proxy.model import DECLINED, REFUSED, MapperVerdict
from sso_proxy.testing.checks import check_user_mapper, outcome_of
from sso_proxy.testing.fakes import FakeTools, make_identity

ISSUER = "https://login.example.com/realms/staff"


def user_of(
    claim: str = "sub@", issuer: str = ISSUER, **claims: object
) -> str | MapperVerdict:
    config = RemoteUserConfig(remote_user_claim=claim)
    mapper = RemoteUserMapper.from_config(config, FakeTools())
    identity = make_identity(claims={"sub": "alice", **claims})
    return outcome_of(mapper.map_user(attrs.evolve(identity, issuer=issuer)))


def test_the_issuer_without_its_scheme_stands_behind_the_subject() -> None:
    assert user_of() == "alice@login.example.com/realms/staff"


def test_it_may_be_another_claim_with_or_without_the_issuer() -> None:
    email = "alice@example.com"
    assert user_of("email", email=email) == email
    assert user_of("email@", email=email) == f"{email}@{ISSUER[8:]}"


def test_without_the_claim_somebody_else_may_name_the_user() -> None:
    assert user_of("email") is DECLINED


@pytest.mark.parametrize("value", [1, ["a", "b"], "a\n", "", "a" * 300])
def test_what_is_no_name_is_refused(value: object) -> None:
    assert user_of("email@", email=value) is REFUSED


def test_an_issuer_with_an_at_sign_is_refused() -> None:
    """``b@c`` of ``https://d`` would be ``b`` of ``https://c@d``."""
    assert user_of(issuer="https://c@d") is REFUSED


@pytest.mark.parametrize("claim", ["", "@", "a..b"])
def test_a_claim_has_to_be_named(claim: str) -> None:
    with pytest.raises(ValueError, match="claim"):
        RemoteUserConfig(remote_user_claim=claim)


def test_it_keeps_the_rules_of_mappers() -> None:
    check_user_mapper(RemoteUserMapper(RemoteUserConfig()))
