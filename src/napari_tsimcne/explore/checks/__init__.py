"""Checks of a map: how faithful it is, what neighbourhoods follow, which patches are suspect."""
