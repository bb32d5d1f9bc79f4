"""The ready-made spider."""
