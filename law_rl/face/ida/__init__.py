"""Scores of pairs aligned by what is known of the two faces' nearest other identities: after IDA, arXiv 2103.01559."""
