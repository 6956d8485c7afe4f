"""The gallery: pictures of the selected patches."""
