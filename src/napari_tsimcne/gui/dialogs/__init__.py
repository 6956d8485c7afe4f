"""Questions that stand over the window."""
