"""How a command ends that has said all there is to say."""

from sso_proxy.errors import SsoProxyError


class AnsweredError(SsoProxyError):
    """
    The answer is one that an exit status tells.

    Args:
        status: It.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status
