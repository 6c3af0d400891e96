"""Read the media type of an answer (RFC 9110 section 8.3)."""

import re
from typing import Final

_LONGEST: Final = 256
_MEDIA_TYPE = re.compile(
    r"([A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+)"
    r"((?:[ \t]*;(?:[ \t]*[A-Za-z0-9!#$&^_.+-]+=(?:[A-Za-z0-9!#$&^_.+-]+|\"[^\"\\]*\")"
    r")?)*)[ \t]*"
)
_CHARSET = re.compile(r"charset=\"?([^\";]*)", re.IGNORECASE)
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii"})


def read_media_type(content_type: str | None) -> str | None:
    """
    Give the media type of text in UTF-8, lower-case, without its parameters.

    None, if *content_type* cannot be read in one way, such as two of them in one field
    (``application/json, text/html``), or says that the text is in another charset:
    whoever guesses reads other text than the sender wrote.
    """
    if content_type is None or len(content_type) > _LONGEST:
        return None
    match = _MEDIA_TYPE.fullmatch(content_type)
    if match is None:
        return None
    charsets = _CHARSET.findall(match[2])
    if len(charsets) > 1 or not {one.lower() for one in charsets} <= _UTF_8:
        return None
    return match[1].lower()
