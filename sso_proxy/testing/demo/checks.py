"""The calls that the demo makes, and what has to come back."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.testing.demo.call import Answer, ClientTls, Question, call
from sso_proxy.testing.demo.scene import CLIENT, SCOPE, Scene
from sso_proxy.testing.pki import Issued

FORGED: Final = {"X-Remote-User": "admin"}


class NoTokenError(SsoProxyError):
    """The authorization server gave no token."""


@attrs.frozen(kw_only=True)
class Check:
    """
    One call.

    Attributes:
        title: What is sent.
        status: What the status has to be.
        expected: What else has to be.
        see: Picks what is worth showing from the answer; empty means that the answer
            is not what it has to be.
        token: Whether the token is sent.
        certificate: Picks the certificate that is shown, by the name of its files;
            empty for none.
        headers: Further header fields.
    """

    title: str
    status: int
    expected: str
    see: Callable[[Answer], str]
    token: bool = False
    certificate: str = ""
    headers: dict[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Result:
    """
    What came of a check.

    Attributes:
        check: The check.
        answer: What came back.
        seen: What is worth showing from it.
    """

    check: Check
    answer: Answer
    seen: str

    @property
    def passed(self) -> bool:
        """Whether it is what it has to be."""
        return self.answer.status == self.check.status and bool(self.seen)


def fields_at_api(answer: Answer, name: str) -> list[str]:
    """Give the values of the header field *name* that the API says it was sent."""
    lines = (line.partition(": ") for line in answer.json()["headers"])
    return [value for field, _, value in lines if field.lower() == name.lower()]


def see_user(answer: Answer) -> str:
    """Show the user that the API was told, if it is the token's and nothing else."""
    if answer.status != 200:
        return ""
    users = fields_at_api(answer, "X-Remote-User")
    if users != [CLIENT] or fields_at_api(answer, "Authorization"):
        return ""
    return f"the API was told  X-Remote-User: {CLIENT}"


def see_challenge(answer: Answer) -> str:
    """Show why, in the words of RFC 6750."""
    challenge = answer.headers.get("www-authenticate", "")
    return f"WWW-Authenticate: {challenge}" if challenge.startswith("Bearer") else ""


def see_invalid_token(answer: Answer) -> str:
    """Show why; it has to be ``invalid_token`` (RFC 8705 section 3)."""
    seen = see_challenge(answer)
    return seen if 'error="invalid_token"' in seen else ""


CHECKS: Final = (
    Check(
        title="The token, over the certificate that it is bound to",
        token=True,
        certificate="client",
        status=200,
        expected=f"the API is told X-Remote-User: {CLIENT}, and not the token",
        see=see_user,
    ),
    Check(
        title="The same token, stolen: over the thief's certificate",
        token=True,
        certificate="other",
        status=401,
        expected='WWW-Authenticate: Bearer … error="invalid_token"',
        see=see_invalid_token,
    ),
    Check(
        title="The same token, stolen: without a certificate",
        token=True,
        status=401,
        expected='WWW-Authenticate: Bearer … error="invalid_token"',
        see=see_invalid_token,
    ),
    Check(
        title="No token at all",
        certificate="client",
        status=401,
        expected="WWW-Authenticate: Bearer …",
        see=see_challenge,
    ),
    Check(
        title="The token again, and a forged X-Remote-User: admin",
        token=True,
        certificate="client",
        headers=FORGED,
        status=200,
        expected=f"the API is told X-Remote-User: {CLIENT}, and not the token",
        see=see_user,
    ),
)


async def fetch_token(reactor: Any, scene: Scene) -> str:  # noqa: ANN401
    """
    Get an access token that is bound to the client's certificate.

    Raises:
        NoTokenError: The server gave none.
    """
    form = {"grant_type": "client_credentials", "client_id": CLIENT, "scope": SCOPE}
    answer = await call(
        reactor,
        ClientTls(trust=scene.authority, certificate=scene.client),
        Question(
            url=f"{scene.issuer_url}/token",
            method="POST",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode("ascii"),
        ),
    )
    if answer.status != 200:
        raise NoTokenError(f"the token endpoint answered {answer.status}")
    return str(answer.json()["access_token"])


async def run_check(
    reactor: Any,  # noqa: ANN401
    scene: Scene,
    token: str,
    check: Check,
) -> Result:
    """Make one call and look at the answer."""
    shown: Issued | None = (
        getattr(scene, check.certificate) if check.certificate else None
    )
    headers = dict(check.headers)
    if check.token:
        headers["Authorization"] = f"Bearer {token}"
    tls = ClientTls(trust=scene.authority, certificate=shown)
    question = Question(url=scene.api_url, headers=headers)
    answer = await call(reactor, tls, question)
    return Result(check=check, answer=answer, seen=check.see(answer))
