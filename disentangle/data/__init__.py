"""Datasets opened by name: downloads, archives, prepared images, images of the user's own."""
