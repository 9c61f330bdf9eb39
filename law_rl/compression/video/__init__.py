"""Learned video compression: DVC, and EDIC inside it."""
