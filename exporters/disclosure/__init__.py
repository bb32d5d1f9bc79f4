"""The crawler disclosure: computed from the decision log and the declared policies, never authored."""
