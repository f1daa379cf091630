"""The composition root: the one place that knows every part, and the only one that knows the HSM."""
