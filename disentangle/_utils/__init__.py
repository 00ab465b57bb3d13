"""Private helpers shared by all packages: files, random streams, devices, text."""
