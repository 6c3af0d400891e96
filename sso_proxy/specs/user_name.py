"""What may be the name of a user, wherever it comes from."""

MAX_LENGTH = 256


def is_safe_user_name(text: str) -> bool:
    """
    Say whether *text* means the same to us, to a backend and to who reads a log.

    No control characters, line separators, invisible or undefined characters and lone
    surrogates: they forge header fields and log lines, and make two names look alike.
    No blanks around it: a backend strips them from a header field's value, and
    ``"admin "`` would become somebody else.
    """
    return (
        0 < len(text) <= MAX_LENGTH and text.isprintable() and text == text.strip(" ")
    )
