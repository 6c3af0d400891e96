"""What a browser brings back from a provider, before anything of it is believed."""

from typing import Final

from sso_proxy.errors import BadMessageError
from sso_proxy.model import Request
from sso_proxy.specs.http.parameters import is_form
from sso_proxy.specs.oidc.response import (
    MAX_FORM,
    AnswerError,
    Arrived,
    Fields,
    read_fields,
)

FRAGMENT_FIELD: Final = "__sso_fragment"
"""The field by which our page sends what stood behind the ``#``."""


async def read_callback(request: Request) -> tuple[Arrived, Fields]:
    """
    Give the parameters of an answer, and how they came.

    Of a form, the query is not looked at: there is one place for an answer.  Our own
    page sends one field, with all of a fragment as it came.

    Raises:
        AnswerError: There is none that can be read.
    """
    head = request.head
    if head.method == "GET":  # and not for HEAD: nobody looks at what comes
        return "query", read_fields(head.query or "")
    if head.method != "POST" or not is_form(head) or request.body is None:
        raise AnswerError("the answer is neither a query nor a form")
    try:
        content = await request.body.read(MAX_FORM)
    except BadMessageError as e:
        raise AnswerError(f"the form cannot be read: {e.reason}") from None
    fields = read_fields(content)
    if FRAGMENT_FIELD in (name for name, _ in fields):
        if len(fields) > 1:
            raise AnswerError("there are fields beside the fragment")
        return "fragment", read_fields(fields[0][1])
    return "form_post", fields


def lacks_answer(request: Request) -> bool:
    """Say whether an answer, if there is one, is where browsers keep it."""
    return request.head.method == "GET" and not request.head.query
