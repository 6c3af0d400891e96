"""Processes: listening sockets, signals, the log file, workers and talking to them."""
