"""What all commands share: options, console, provenance, a loop that can be interrupted."""
