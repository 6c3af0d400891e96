"""Coroutine functions stand where they are declared, and nowhere else."""

from typing import Any, cast

import pytest
from zope.interface import Attribute, Interface
from zope.interface.interface import InterfaceClass

from sso_proxy.coroutines import colour_problems


class IBase(Interface):
    name: str = Attribute("No method.")

    async def authenticate(request: object) -> None: ...  # noqa: N805
    def challenge(request: object) -> None: ...  # noqa: N805


class IDerived(IBase):
    """Adds nothing."""


class Right:
    name = ""

    async def authenticate(self, request: object) -> None: ...
    def challenge(self, request: object) -> None: ...


class SyncForAsync(Right):
    def authenticate(self, request: object) -> Any: ...  # noqa: ANN401


class AsyncForSync(Right):
    async def challenge(self, request: object) -> None: ...  # type: ignore[override]


@pytest.mark.parametrize("interface", [IBase, IDerived])
@pytest.mark.parametrize(
    ("thing", "problems"),
    [
        (Right(), []),
        (SyncForAsync(), ["authenticate must be declared with async def"]),
        (AsyncForSync(), ["challenge must not be declared with async def"]),
    ],
)
def test_each_method_is_what_the_interface_declares(
    interface: object, thing: object, problems: list[str]
) -> None:
    assert colour_problems(cast("InterfaceClass", interface), thing) == problems
