"""Scrapy extensions that watch a crawl and tell others; none of them decides or protects anything."""
