"""The map: a canvas of its own, its tools, legend and search."""
