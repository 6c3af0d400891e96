"""Our own paths."""
