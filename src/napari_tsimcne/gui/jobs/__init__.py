"""What takes long, in worker threads and processes of their own, seen from the window."""
