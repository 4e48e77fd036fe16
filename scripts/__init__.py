"""The scripts, and what they share."""
