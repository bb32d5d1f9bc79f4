"""What we promise, and how we read a site."""
