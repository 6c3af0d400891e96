"""
Run the real proxy as where there is no epoll.

``python without_epoll.py --reactor=poll <twistd's options> sso-proxy --config FILE``
"""

import functools
from typing import Any

from twisted.application import app
from twisted.scripts._twistd_unix import ServerOptions
from twisted.scripts.twistd import runApp

from sso_proxy.assembly import Gateway
from sso_proxy.net.reactor_nest import ReactorNest
from sso_proxy.supervisor import Supervisor
from sso_proxy.tap import Options, build_supervisor, load_and_check


class Maker:
    """What twistd finds where the plugin would be."""

    tapname = "sso-proxy"
    description = "the proxy without epoll"
    options = Options

    @staticmethod
    def makeService(options: Options) -> Supervisor:
        from twisted.internet import reactor  # noqa: PLC0415, TID251 - options chose it

        gateway = functools.partial(Gateway, make_nest=ReactorNest)
        return build_supervisor(reactor, options, load_and_check, gateway)


class ProgramOptions(ServerOptions):
    @staticmethod
    def _getPlugins(*_: object) -> Any:  # noqa: ANN401, N802
        return [Maker]


if __name__ == "__main__":
    app.run(runApp, ProgramOptions)
