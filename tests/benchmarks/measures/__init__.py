"""A module per measure, each with ``measure(side, case)``, run in a process of its own on a database of its own."""
