"""Steps from one format of a log to the next, run by alembic: see `migrate.py` beside this folder."""
