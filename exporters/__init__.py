"""What we tell others, computed from the log and the policies alone."""
