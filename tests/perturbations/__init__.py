"""Perturbations: laws, lists, and what HELM makes of the same texts."""
