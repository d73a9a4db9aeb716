"""NATS-Bench's size space: one cell at five widths, its networks, weights and costs."""
