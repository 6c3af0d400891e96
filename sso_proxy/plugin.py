"""What a plugin announces itself with; imports nothing heavy."""

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import IPluginFactory


@implementer(IPluginFactory)
@attrs.frozen(kw_only=True)
class PluginFactory:
    """
    A component's announcement; only the chosen component's class is imported.

    Attributes:
        name: What the configuration's ``type`` says.
        makes: Name of the interface made: ``IUserMapper``.
        target: ``module:Class``.  The class has ``config_class``, an attrs class,
            and a class method ``from_config(config, tools)``.
    """

    name: str
    makes: str
    target: str
