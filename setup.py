"""
Packaging shim.  All metadata lives in pyproject.toml.

With SSO_PROXY_COMPILE=1 in the environment, a wheel has the modules that each request
goes through as machine code beside the text (docs/decisions/0016-compiled.md).  It is
built in an environment that has mypy, mypy-zope and all that we depend on, with a C
compiler and Python's headers::

    SSO_PROXY_COMPILE=1 pip wheel --no-deps --no-build-isolation .
"""

import os
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

from setuptools import find_packages, setup

# tests/test_compiled.py says what cannot be here.
COMPILED = [
    "sso_proxy/audit.py",
    "sso_proxy/edge/answers.py",
    "sso_proxy/edge/connection.py",
    "sso_proxy/edge/exchange.py",
    "sso_proxy/edge/ids.py",
    "sso_proxy/edge/intake.py",
    "sso_proxy/edge/known.py",
    "sso_proxy/edge/listener.py",
    "sso_proxy/edge/memo.py",
    "sso_proxy/edge/recorder.py",
    "sso_proxy/edge/uplink.py",
    "sso_proxy/equipping.py",
    "sso_proxy/net/clock.py",
    "sso_proxy/net/coroutine.py",
    "sso_proxy/net/dispatch.py",
    "sso_proxy/net/stream.py",
    "sso_proxy/net/ticker.py",
    "sso_proxy/net/tls/records.py",
    "sso_proxy/net/tls/stream.py",
    "sso_proxy/outgoing.py",
    "sso_proxy/specs/http/answer.py",
    "sso_proxy/specs/http/chunked.py",
    "sso_proxy/specs/http/fields.py",
    "sso_proxy/specs/http/head.py",
    "sso_proxy/specs/http/repeat.py",
    "sso_proxy/specs/http/request.py",
    "sso_proxy/specs/http/target.py",
    "sso_proxy/specs/http/uri.py",
    "sso_proxy/specs/jose/algorithms.py",
    "sso_proxy/specs/jose/compact.py",
    "sso_proxy/specs/jose/expiry.py",
    "sso_proxy/specs/jose/public_jwk.py",
    "sso_proxy/specs/jose/strict.py",
    "sso_proxy/specs/jose/verify.py",
    "sso_proxy/specs/oauth/claims.py",
    "sso_proxy/specs/oauth/confirmation.py",
    "sso_proxy/specs/oauth/dpop.py",
    "sso_proxy/specs/trace_context.py",
    "sso_proxy/traffic.py",
    "sso_proxy/upstream/connection.py",
    "sso_proxy/upstream/http.py",
    "sso_proxy/upstream/request.py",
]
"""Synchronous code on the way of each request."""

_QUESTIONS = {"egg_info", "dist_info"}
"""Commands that only ask what there is."""


def extensions() -> list[Any]:
    """Translate the modules, if that is wanted and a wheel is made."""
    wanted = os.environ.get("SSO_PROXY_COMPILE", "")
    if wanted in {"", "0"}:
        return []
    if wanted != "1":
        sys.exit("SSO_PROXY_COMPILE is neither 1 nor 0")
    if _QUESTIONS & set(sys.argv):
        return []
    if "bdist_wheel" not in sys.argv:
        sys.exit("SSO_PROXY_COMPILE=1 is for wheels; a source tree stays as it is")
    try:
        from mypyc.build import mypycify  # noqa: PLC0415
    except ImportError:
        sys.exit("SSO_PROXY_COMPILE=1 needs mypy, and pip's --no-build-isolation")
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC"))[0]
    if shutil.which(compiler) is None:
        sys.exit(f"SSO_PROXY_COMPILE=1 needs a C compiler; there is no {compiler}")
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        sys.exit("SSO_PROXY_COMPILE=1 needs the headers of Python (python3-dev)")
    found: list[Any] = mypycify(
        ["--follow-imports=silent", "--no-warn-unused-ignores", *COMPILED],
        opt_level="1",  # requests take 1 % less with 2, translating 20 % more
        debug_level="0",
        group_name="sso_proxy",
    )
    return found


if __name__ == "__main__":
    setup(
        packages=[
            *find_packages(include=["sso_proxy", "sso_proxy.*"]),
            "twisted.plugins",
        ],
        # Spelling out the root makes an editable install a plain .pth file, which is
        # the only kind that twisted.plugin can look into.
        package_dir={"": "."},
        ext_modules=extensions(),
    )
