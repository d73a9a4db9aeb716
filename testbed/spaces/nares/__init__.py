"""The space of NARes: WideResNets of three stages, their names, networks and costs."""
