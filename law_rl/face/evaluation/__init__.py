"""Evaluation of face recognition: error rates, protocols of pairs and templates, identification, intervals."""
