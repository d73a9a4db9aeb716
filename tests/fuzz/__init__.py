"""Malformed inputs for every reader and parser; ``make fuzz`` runs ten thousand.

A reader is entered as a `Target` in a module of `tests.fuzz.targets`. Each of its inputs is a
valid file with a few faults, made from the target's name and the input's number alone, and is
read in a child process with limits on time and memory. What comes back is a documented error
(a `ToolkitError`) or a result that passes the target's check; all else is a fault.
"""
