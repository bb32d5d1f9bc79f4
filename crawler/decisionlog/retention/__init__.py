"""How long a log is kept: schedule, holds, pruning of whole segments, erasure of single URLs."""
