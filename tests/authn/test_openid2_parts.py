"""The parts of an authenticator are made of its options."""

from pathlib import Path
from typing import Any

import pytest
from zope.interface import implementer

from sso_proxy.authn.openid2_config import OpenId2Config
from sso_proxy.authn.openid2_parts import build_parts
from sso_proxy.errors import ConfigError
from sso_proxy.interfaces import IUserMapper
from sso_proxy.model import DECLINED, REFUSED, Identity, MapperVerdict, UserName
from sso_proxy.testing.fakes import FakeTools, make_identity
from tests.support.caching import now
from tests.support.openid2_scene import Said


def _mistakes(**options: Any) -> list[str]:  # noqa: ANN401
    config = OpenId2Config(**{"mappers": ("users",), **options})
    with pytest.raises(ConfigError) as refused:
        build_parts(config, FakeTools())
    return [str(each) for each in refused.value.mistakes]


def test_a_mapper_has_to_be_there() -> None:
    (mistake,) = _mistakes()
    assert "mappers[0]" in mistake
    assert mistake.endswith("[AOID 001]")


@implementer(IUserMapper)
class Says:
    """A mapper that always says the same."""

    def __init__(self, answer: UserName | MapperVerdict) -> None:
        self.answer = answer

    async def map_user(self, identity: Identity) -> UserName | MapperVerdict:
        """Say it."""
        del identity
        return self.answer


@pytest.mark.parametrize(
    ("answers", "user"),
    [
        ((UserName("alice"),), "alice"),
        ((DECLINED, UserName("alice")), "alice"),
        ((REFUSED, UserName("alice")), None),
        ((DECLINED,), None),
        ((UserName("a\r\nb"), UserName("alice")), None),
    ],
)
def test_the_first_mapper_that_knows_somebody_decides(
    answers: tuple[UserName | MapperVerdict, ...], user: str | None
) -> None:
    names = [str(number) for number in range(len(answers))]
    mappers = {n: Says(a) for n, a in zip(names, answers, strict=True)}
    config = OpenId2Config(mappers=tuple(names))
    client: Any = Said()
    tools = FakeTools(mappers={**mappers}, http_client=client)
    assert now(build_parts(config, tools).user_of(make_identity())) == user


def test_a_file_of_cas_has_to_be_one(tmp_path: Path) -> None:
    client: Any = Said()
    tools = FakeTools(mappers={"users": Says(DECLINED)}, http_client=client)
    config = OpenId2Config(mappers=("users",), ca=str(tmp_path / "none"))
    with pytest.raises(ConfigError):
        build_parts(config, tools)
