"""The paragraphs of methods."""
