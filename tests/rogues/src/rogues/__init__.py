"""Plugins that misbehave."""
