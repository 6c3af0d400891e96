"""What knows whether a password is somebody's."""

from zope.interface import Interface

from sso_proxy.login import Account, Unproved


class IPasswordChecker(Interface):
    """
    Knows whether a password is somebody's.

    Takes as long for a user that there is not as for a wrong password.  Nothing that it
    is given may get into a log, and results are not kept here.
    """

    async def check(user: str, password: str) -> Account | Unproved | None:
        """
        Give the account of *user* if the password is right.

        Else None, or `Unproved` if it is known whose account it is: then tries with
        other spellings of its name count as tries with this one.

        May wait.  An empty password is never right.

        Raises:
            UnavailableError: That cannot be found out now.
        """
