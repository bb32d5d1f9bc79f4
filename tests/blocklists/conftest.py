"""Property tests of this folder are held to their laws and not to a clock, which a busy machine would fail."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("blocklists", deadline=None)
settings.load_profile("blocklists")
