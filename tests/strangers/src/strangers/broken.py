raise ImportError("it needs a library of 1987")
