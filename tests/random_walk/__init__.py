"""A random walk through a house of years, and what has to be true after it."""
