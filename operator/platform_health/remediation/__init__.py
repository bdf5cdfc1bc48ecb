"""Repairs, and everything that keeps them from doing harm.

:mod:`plan` decides from what is known, :mod:`guard` asks the fresh object, :mod:`apply` talks to the API server,
:mod:`journal` remembers, and :class:`remediator.Remediator` is what the operator's loop calls. :mod:`patch` is the one
way to apply, invert and guard a JSON Patch.
"""
