"""What applications call somebody is what their routes would tell them."""

from typing import Any

import pytest

from sso_proxy.account_names import AccountNames
from sso_proxy.errors import UnavailableError
from sso_proxy.model import DECLINED, REFUSED, MapperVerdict, UserName
from sso_proxy.routing import RouteTable
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now
from tests.support.doubles import FakeUpstream, make_route

ALICE = make_identity(authenticator="corp")


class Mapper:
    """Says the same of everybody, or that it does not know."""

    def __init__(self, says: UserName | MapperVerdict | None) -> None:
        self.says = says
        self.asked = 0

    async def map_user(self, identity: object) -> UserName | MapperVerdict:
        """Say it."""
        assert identity == ALICE
        self.asked += 1
        if self.says is None:
            raise UnavailableError("the directory")
        return self.says


def route(*mappers: Mapper, path: str = "/", **changes: Any) -> Any:  # noqa: ANN401
    given = {"login_names": ("corp",), "mappers": mappers, **changes}
    return make_route(FakeUpstream(), path=path, **given)


def names(*routes: Any, host: str = "app.example.com") -> tuple[str, ...] | None:  # noqa: ANN401
    known = AccountNames()
    known.settle(RouteTable(routes))
    return now(known.of(host, "/.sso/", ALICE))


def test_without_a_mapper_the_subject_is_the_name() -> None:
    assert names(route()) == ("alice",)


def test_each_name_is_told_once_and_each_mapper_asked_once() -> None:
    one, two = Mapper(UserName("a1")), Mapper(UserName("a2"))
    every = [
        route(one),
        route(one, path="/x/"),
        route(two, path="/y/"),
        route(Mapper(UserName("a1")), path="/z/"),
    ]
    assert sorted(names(*every) or ()) == ["a1", "a2"]
    assert (one.asked, two.asked) == (1, 1)


@pytest.mark.parametrize("says", [REFUSED, DECLINED, UserName("a\nb")])
def test_who_is_let_in_nowhere_has_no_name(says: Any) -> None:  # noqa: ANN401
    assert names(route(Mapper(says))) == ()
    assert names(route(Mapper(says)), route(path="/x/")) == ("alice",)


def test_a_mapper_that_cannot_answer_hides_no_other() -> None:
    assert names(route(Mapper(None))) is None
    assert names(route(Mapper(None)), route(path="/x/")) == ("alice",)


@pytest.mark.parametrize(
    "changes",
    [{"login_names": ("other",)}, {"endpoints": "/x/.sso/"}, {"host": "b.example"}],
)
def test_routes_that_do_not_go_by_the_login_are_not_asked(
    changes: dict[str, Any],
) -> None:
    mapper = Mapper(UserName("x"))
    assert names(route(mapper, **changes)) == ()
    assert mapper.asked == 0


def test_before_there_are_routes_there_are_no_names() -> None:
    assert now(AccountNames().of("a.example", "/.sso/", ALICE)) == ()
