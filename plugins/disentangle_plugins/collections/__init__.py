"""Built-in collections, one file each: datasets of other libraries, opened by reference."""
