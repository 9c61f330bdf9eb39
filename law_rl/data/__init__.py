"""Data sets as tensors: fixed clean splits, label noise, long tails, augmentation and batch order."""
