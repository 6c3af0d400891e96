"""User mappers: the name a backend knows somebody by."""
