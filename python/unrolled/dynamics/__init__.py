"""Why recurrences remember or forget."""
