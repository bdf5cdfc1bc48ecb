"""Real parts to test against: a Kubernetes control plane built from its own sources, and published schemas."""
