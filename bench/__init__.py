"""The figures that the project promises, measured on this machine with ``make bench``. Tests never assert times."""
