"""Export packages: whole segments as files that an outsider verifies without our software or our database."""
