"""An application with sessions of its own, which knows nothing of a proxy."""

import itertools
import re
from collections.abc import Callable, Iterable
from typing import Any

_find = re.compile(r"(?:^|; ?)JSESSIONID=([^;]*)").search


class Shop:
    """Counts the requests of each session; at ``/out``, ends it."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._names = map(str, itertools.count(1))

    def __call__(
        self, environ: dict[str, Any], start: Callable[..., Any]
    ) -> Iterable[bytes]:
        found = _find(environ.get("HTTP_COOKIE", ""))
        name = found[1].strip('"') if found else ""
        fields = [("Set-Cookie", "lang=de; Path=/")]
        if name not in self._counts:
            name = f"s3cr{next(self._names)}"
            self._counts[name] = 0
            fields.append(("Set-Cookie", f'JSESSIONID="{name}"; Path=/; HttpOnly'))
        if environ["PATH_INFO"].endswith("/out"):
            fields.append(("Set-Cookie", "JSESSIONID=; Path=/; Max-Age=0"))
        self._counts[name] += 1
        body = str(self._counts[name]).encode()
        start("200 OK", [*fields, ("Content-Length", str(len(body)))])
        return [body]


application = Shop()
