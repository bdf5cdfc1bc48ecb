"""The command line: one module per command, each with ``add_parser`` and ``run``. Imports of weight happen in ``run``."""
