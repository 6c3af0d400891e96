"""An event-driven reverse proxy that takes single sign-on off applications' hands."""

__version__ = "0.1.0"
