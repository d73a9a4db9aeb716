"""What proxies there are: one record each, free of torch, which commands and reports read."""
