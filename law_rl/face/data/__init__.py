"""Face data: synthetic identities, and what training and verification read."""
