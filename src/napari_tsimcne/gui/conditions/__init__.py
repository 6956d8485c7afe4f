"""The panel of conditions."""
