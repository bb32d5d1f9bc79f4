"""The append-only decision log. Imports neither Scrapy nor Twisted."""
