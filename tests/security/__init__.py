"""Nothing leaks, and nobody gets a token who must not have one."""
