"""The losses as textbooks write them, from probabilities: unclipped, in the caller's type. For comparison only."""
