"""Files by their names, those that the service manager hands over included."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CREDENTIAL: Final = "credential:"
_NAME: Final = re.compile(r"(?!\.{1,2}\Z)[!-.0-9;-~]{1,255}")
"""systemd.exec(5), LoadCredential=: a file's name, and a descriptor's."""


def find_file(name: str, *, directory: Path, environ: Mapping[str, str]) -> Path:
    """
    Say where the file is that an option names.

    Args:
        name: As written; ``credential:NAME`` is what systemd passes as credential NAME.
        directory: Where relative file names start.
        environ: The process's environment; systemd sets ``CREDENTIALS_DIRECTORY``.

    Raises:
        ValueError: It is a credential, and there are none, or none has such a name.
    """
    if not name.startswith(CREDENTIAL):
        return directory / name
    credential = name.removeprefix(CREDENTIAL)
    if not _NAME.fullmatch(credential):
        raise ValueError(f"{name!r} must be {CREDENTIAL!r} and a credential's name")
    given = environ.get("CREDENTIALS_DIRECTORY", "")
    if not given.startswith("/"):
        raise ValueError(
            f"{name!r}: nobody passes credentials here; LoadCredential= in systemd's"
            " unit does, elsewhere set CREDENTIALS_DIRECTORY"
        )
    return Path(given) / credential
