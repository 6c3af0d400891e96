"""Answers of our own: short, without secrets, in HTML or as problem details."""

from sso_proxy.model import Headers, RequestHead
from sso_proxy.pages import default_pages, phrase_of

__all__ = ["phrase_of", "render_page"]


def render_page(
    status: int, request_id: str, head: RequestHead | None
) -> tuple[Headers, bytes]:
    """
    Say *status* to a person or a program, whichever asked.

    Args:
        status: The status code.
        request_id: By which the log has the reason.
        head: The request, or None if it could not be read.
    """
    return default_pages().error("", status, head, request_id)
