"""What is shown and done in the images."""
