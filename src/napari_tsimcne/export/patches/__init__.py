"""Crops, label images and outlines."""
