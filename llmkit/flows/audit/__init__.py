"""The story of an audit: is this judge to be trusted, what does it lean towards, and what do few labels make of it."""
