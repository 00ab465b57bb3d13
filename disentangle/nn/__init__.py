"""Networks of the papers, their layers, and the likelihoods of images."""
