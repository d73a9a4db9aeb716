"""Proxies made for robustness: attacked inputs, smoothness, margins, kernels."""
