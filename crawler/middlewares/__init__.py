"""Scrapy middlewares, one concern a file; none holds an opinion."""
