"""Sub-commands of `sekisho` that belong to the crawler."""
