"""What no single module owns: how the parts behave together."""
