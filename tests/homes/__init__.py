"""Homes with real names, addresses and ports, and what a user gets in each."""
