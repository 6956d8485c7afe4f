"""The panel of clusters."""
