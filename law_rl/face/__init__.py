"""Face recognition: networks, losses, verification and distillation of embeddings."""
