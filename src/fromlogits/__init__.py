"""A neural-network classifier that computes everything from the logits."""
