"""Conditions: shares of clusters, the difference on the map, doses and plates."""
