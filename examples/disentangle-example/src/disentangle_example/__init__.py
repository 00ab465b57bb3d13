"""A model, a dataset and a metric for disentangle."""
