"""Statistics of the gradients of samples, and the tangent kernel."""
