"""Agents that learn policies, hand-made baselines, and schedules that were learned."""
