"""A random walk through years of use, and what has to be true after it."""
