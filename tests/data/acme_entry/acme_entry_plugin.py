"""Announce the mapper to sso-proxy; light, since it is imported at every start."""

from sso_proxy.plugin import PluginFactory

acme = PluginFactory(
    name="acme-entry", makes="IUserMapper", target="acme_entry:AcmeMapper"
)
