"""Rules: one file a rule, facts in, verdict out; no Scrapy, network, clock, files or randomness."""
