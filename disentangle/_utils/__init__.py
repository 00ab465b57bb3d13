"""What every part needs and nobody outside: files, random streams, devices, text."""
