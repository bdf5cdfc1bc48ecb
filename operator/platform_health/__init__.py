"""platform-health finds, explains and heals misconfigurations of LLM inference platforms on Kubernetes.

The way of the data: ``sources`` read objects into ``views`` and put them into the ``inventory``; the ``engine``
judges every ``invariant`` about them; ``findings`` gives violations an identity; ``reporting`` shows them and
``remediation`` repairs what is safe to repair. docs/architecture.md draws it.
"""

__version__ = "0.1.0"
