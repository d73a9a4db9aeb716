"""Import paths of version 0.1 that notebooks may name; gone with version 0.3."""
