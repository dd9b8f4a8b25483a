"""Values and rules of the dispatcher. Standard library only: no I/O, no framework, no clock of its own."""
