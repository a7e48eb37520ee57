"""Canary configs and server settings: schemas, rules, loading, reloading."""
