"""Runs taken elsewhere: archives of runs, and encoders and decoders as files."""
