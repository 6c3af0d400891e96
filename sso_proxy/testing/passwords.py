"""A password checker for the tests of what asks one."""

from collections.abc import Mapping

from zope.interface import implementer

from sso_proxy.interfaces import IPasswordChecker
from sso_proxy.login import Account


@implementer(IPasswordChecker)
class FakeChecker:
    """
    Knows some passwords.

    Args:
        passwords: Passwords by user.
        error: What is raised instead of an answer.

    Attributes:
        asked: The users that it was asked about.
    """

    def __init__(
        self, passwords: Mapping[str, str], *, error: Exception | None = None
    ) -> None:
        self._passwords = dict(passwords)
        self._error = error
        self.asked: list[str] = []

    async def check(self, user: str, password: str) -> Account | None:
        """Give the account if the password is right."""
        self.asked.append(user)
        if self._error is not None:
            raise self._error
        if not password or self._passwords.get(user) != password:
            return None
        return Account(subject=user)
