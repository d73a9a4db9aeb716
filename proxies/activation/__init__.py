"""Patterns and features of forward passes."""
