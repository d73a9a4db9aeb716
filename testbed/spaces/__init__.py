"""Search spaces: which networks there are, and how they are built."""
