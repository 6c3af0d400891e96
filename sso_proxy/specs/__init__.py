"""Rules of standards, without I/O."""
