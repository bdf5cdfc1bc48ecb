"""PlatformHealth: what users write (spec) and what they read (status). The CRD is generated from these models."""
