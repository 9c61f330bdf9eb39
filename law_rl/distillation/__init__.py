"""Distillation: losses on what a teacher knows, the batches they need, and the teacher's route."""
