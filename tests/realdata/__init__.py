"""Figures of published data sets, reproduced."""
