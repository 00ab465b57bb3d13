"""Built-in encoder plugins: networks of other libraries, frozen."""
