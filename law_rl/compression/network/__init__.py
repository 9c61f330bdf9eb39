"""The networks of the codec, one idea a file."""
