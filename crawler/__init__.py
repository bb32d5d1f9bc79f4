"""The crawler. This file imports nothing: exporters pass through it on their way to the log."""
