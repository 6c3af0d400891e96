"""What knows whether a password is somebody's."""

from zope.interface import Interface

from sso_proxy.login import Account


class IPasswordChecker(Interface):
    """
    Knows whether a password is somebody's.

    Takes as long for a user that there is not as for a wrong password.  Nothing that it
    is given may get into a log, and results are not kept here.
    """

    async def check(user: str, password: str) -> Account | None:
        """
        Give the account of *user* if the password is right; else None.

        May wait.  An empty password is never right.

        Raises:
            UnavailableError: That cannot be found out now.
        """
