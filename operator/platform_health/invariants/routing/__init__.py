"""Invariants about HTTPRoute, GRPCRoute, Gateway and ReferenceGrant."""
