"""A token server, an API and the proxy on one machine: ``make demo``."""
