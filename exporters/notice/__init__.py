"""The user-agent change notice: what changed in a declared agent, why, and from when."""
