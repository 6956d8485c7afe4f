"""The panel of checks."""
