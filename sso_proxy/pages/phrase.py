"""The standard's words for status codes."""

from http import HTTPStatus


def phrase_of(status: int) -> str:
    """Give the standard's words for *status*."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"
