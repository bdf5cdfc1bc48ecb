"""The operator: watches, judges, reports and, where it is allowed, repairs."""
