"""What is done to any network before it is asked: copied, checked, made faster."""
