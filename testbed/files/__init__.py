"""Files on disk: written as a whole or not at all, read without running what they contain."""
