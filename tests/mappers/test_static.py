"""Tests for `sso_proxy.mappers.static`."""

import pytest

from sso_proxy.mappers.static import StaticMapper, StaticMapperConfig
from sso_proxy.model import DECLINED, Identity, MapperVerdict
from sso_proxy.testing.checks import check_user_mapper, outcome_of
from sso_proxy.testing.fakes import FakeTools, make_identity


def user_of(config: StaticMapperConfig, identity: Identity) -> str | MapperVerdict:
    mapper = StaticMapper.from_config(config, FakeTools())
    return outcome_of(mapper.map_user(identity))


def test_the_subject_is_looked_up() -> None:
    config = StaticMapperConfig(users={"alice": "al"}, default="guest")
    assert user_of(config, make_identity("alice")) == "al"


def test_everybody_else_is_the_default() -> None:
    config = StaticMapperConfig(users={"alice": "al"}, default="guest")
    assert user_of(config, make_identity("Alice")) == "guest"


def test_without_a_default_the_next_mapper_is_asked() -> None:
    config = StaticMapperConfig(users={"alice": "al"})
    assert user_of(config, make_identity("bob")) is DECLINED


@pytest.mark.parametrize("name", ["", "a\nb", " a", "x" * 257])
def test_an_unsafe_name_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(ValueError, match="no user name"):
        StaticMapperConfig(users={"alice": name})
    with pytest.raises(ValueError, match="no user name"):
        StaticMapperConfig(users={}, default=name)


def test_it_keeps_the_contract_of_mappers() -> None:
    check_user_mapper(
        StaticMapper(StaticMapperConfig(users={"alice": "al"})), [make_identity()]
    )
