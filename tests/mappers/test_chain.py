"""Tests for `sso_proxy.mappers.chain`."""

import pytest

from sso_proxy.errors import ConfigError, UnavailableError
from sso_proxy.mappers.chain import ChainMapper, ChainMapperConfig
from sso_proxy.model import DECLINED, REFUSED, MapperVerdict
from sso_proxy.testing.checks import check_user_mapper, outcome_of
from sso_proxy.testing.fakes import FakeMapper, FakeTools, make_identity


def chain(*mappers: FakeMapper) -> ChainMapper:
    names = tuple(f"m{number}" for number in range(len(mappers)))
    tools = FakeTools(mappers=dict(zip(names, mappers, strict=True)))
    return ChainMapper.from_config(ChainMapperConfig(mappers=names), tools)


@pytest.mark.parametrize("answer", ["carol", REFUSED])
def test_the_first_that_knows_decides(answer: str | MapperVerdict) -> None:
    """A refusal, too: no later one makes up for it."""
    first, second, third = FakeMapper(DECLINED), FakeMapper(answer), FakeMapper("x")
    found = outcome_of(chain(first, second, third).map_user(make_identity()))
    assert found == answer
    assert [len(each.asked) for each in (first, second, third)] == [1, 1, 0]


def test_what_none_of_them_knows_it_does_not_know() -> None:
    mapper = chain(FakeMapper(DECLINED), FakeMapper(DECLINED))
    assert outcome_of(mapper.map_user(make_identity())) is DECLINED


def test_none_is_asked_after_one_that_fails() -> None:
    """It might name somebody else."""
    second = FakeMapper("bob")
    mapper = chain(FakeMapper(UnavailableError("directory")), second)
    with pytest.raises(UnavailableError):
        outcome_of(mapper.map_user(make_identity()))
    assert second.asked == []


def test_each_mapper_that_is_not_there_is_said() -> None:
    config = ChainMapperConfig(mappers=("a", "b", "c"))
    with pytest.raises(ConfigError) as caught:
        ChainMapper.from_config(config, FakeTools(mappers={"b": FakeMapper()}))
    assert [each.path for each in caught.value.mistakes] == ["mappers[0]", "mappers[2]"]


@pytest.mark.parametrize("names", [(), ("a", "b", "a")])
def test_one_without_mappers_or_with_one_twice_is_refused(names: tuple[str]) -> None:
    with pytest.raises(ValueError, match=r"must not be empty|'a' twice"):
        ChainMapperConfig(mappers=names)


def test_it_keeps_the_contract_of_mappers() -> None:
    check_user_mapper(chain(FakeMapper(DECLINED), FakeMapper("bob")), [make_identity()])
