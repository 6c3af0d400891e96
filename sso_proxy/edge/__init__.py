"""Listeners and HTTP server connections."""
