"""A small world to try the controller in."""
