"""The column of steps: images, patches, views, training, map."""
