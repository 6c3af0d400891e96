"""Announce the mapper to sso-proxy."""

from sso_proxy.plugin import PluginFactory

acme = PluginFactory(name="acme", makes="IUserMapper", target="acme_mapper:AcmeMapper")
