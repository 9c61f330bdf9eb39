"""Learned image compression: the codec EDIC (arXiv 2002.03370), its training, bitstream and measurements."""
