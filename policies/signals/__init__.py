"""Readers of what sites say: one file a specification, bytes in, values with evidence out, never raising."""
