"""Whom we never visit: list formats, entries, matcher, snapshots."""
