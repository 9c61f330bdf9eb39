"""From latents to bytes and back: exact on every machine, and refused where it cannot be."""
