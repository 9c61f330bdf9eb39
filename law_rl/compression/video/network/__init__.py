"""The networks of the video codec."""
