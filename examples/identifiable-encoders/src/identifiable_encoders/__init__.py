"""Encoders of vectors whose papers prove that they recover the sources: iVAE and PCL."""

from identifiable_encoders.ivae import train_ivae
from identifiable_encoders.pcl import train_pcl

__all__ = ["train_ivae", "train_pcl"]
