"""Stores for what outlives a request."""
