"""Authenticators: who is calling."""
