"""What touches sockets, clocks and libraries for them."""
