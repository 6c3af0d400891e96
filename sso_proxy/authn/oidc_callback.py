"""What a browser brings back from a provider, before anything of it is believed."""

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


async def read_callback(request: Request) -> tuple[Arrived, Fields]:
    """
    Give the parameters of an answer, and how they came.

    Of a form, the query is not looked at: there is one place for an answer.

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
    return "form_post", read_fields(content)
