"""A plugin's announcement is light and says what it is."""

import subprocess
import sys

from zope.interface.verify import verifyObject

from sso_proxy.interfaces import IPluginFactory
from sso_proxy.plugin import PluginFactory


def test_announcement_provides_the_interface() -> None:
    made = PluginFactory(name="x", makes="IUserMapper", target="a:B")
    assert verifyObject(IPluginFactory, made)


def test_announcing_imports_nothing_heavy() -> None:
    """`twistd --help` of every Twisted program on the machine imports this."""
    check = (
        "import sys, sso_proxy.plugin;"
        "print([m for m in ('cattrs', 'OpenSSL', 'cryptography', 'treq',"
        " 'twisted.internet.reactor') if m in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", check],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "[]"
