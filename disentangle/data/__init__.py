"""Open datasets by name, and build dataset plugins: downloads, archives, images."""

from typing import TYPE_CHECKING

from disentangle._utils.lazy import imported_when_used

if TYPE_CHECKING:
    from disentangle.data.archive import FILE_BYTES as FILE_BYTES
    from disentangle.data.archive import Piece as Piece
    from disentangle.data.archive import pieces as pieces
    from disentangle.data.archive import uncompressed as uncompressed
    from disentangle.data.array_datasets import LabelledPixels as LabelledPixels
    from disentangle.data.array_datasets import as_dataset as as_dataset
    from disentangle.data.array_datasets import grid_order as grid_order
    from disentangle.data.download import Remote as Remote
    from disentangle.data.download import downloaded as downloaded
    from disentangle.data.examples import Example as Example
    from disentangle.data.examples import Examples as Examples
    from disentangle.data.examples import prepare_examples as prepare_examples
    from disentangle.data.examples import shared_columns as shared_columns
    from disentangle.data.factor_values import FactorValues as FactorValues
    from disentangle.data.factor_values import read_factors as read_factors
    from disentangle.data.image_files import centre_crop as centre_crop
    from disentangle.data.image_files import decoded as decoded
    from disentangle.data.image_files import flat as flat
    from disentangle.data.image_files import resized as resized
    from disentangle.data.loading import load_dataset as load_dataset
    from disentangle.data.location import About as About
    from disentangle.data.location import Crop as Crop
    from disentangle.data.location import Location as Location
    from disentangle.data.location import about as about
    from disentangle.data.manifest import Manifest as Manifest
    from disentangle.data.npz import LABEL_BYTES as LABEL_BYTES
    from disentangle.data.npz import counted as counted
    from disentangle.data.npz import open_npz as open_npz
    from disentangle.data.npz import reason as reason
    from disentangle.data.pairs import Pairs as Pairs
    from disentangle.data.pairs import changed_factors as changed_factors
    from disentangle.data.pairs import check_pairs as check_pairs
    from disentangle.data.pairs import draw_pairs as draw_pairs
    from disentangle.data.pairs import moving_factors as moving_factors
    from disentangle.data.pairs import pair_knobs as pair_knobs
    from disentangle.data.prepared import Content as Content
    from disentangle.data.prepared import Preparation as Preparation
    from disentangle.data.prepared import Rows as Rows
    from disentangle.data.prepared import reordered as reordered
    from disentangle.data.unpacking import COMPRESSED as COMPRESSED
    from disentangle.data.unpacking import given_folder as given_folder
    from disentangle.data.unpacking import temporary_folder as temporary_folder
    from disentangle.data.unpacking import unpack_file as unpack_file
    from disentangle.data.vector_table import VectorTable as VectorTable
    from disentangle.data.weight_files import read_state as read_state

_HOMES = {
    "About": "location",
    "COMPRESSED": "unpacking",
    "Content": "prepared",
    "Crop": "location",
    "Example": "examples",
    "Examples": "examples",
    "FILE_BYTES": "archive",
    "FactorValues": "factor_values",
    "LABEL_BYTES": "npz",
    "LabelledPixels": "array_datasets",
    "Location": "location",
    "Manifest": "manifest",
    "Pairs": "pairs",
    "Piece": "archive",
    "Preparation": "prepared",
    "Remote": "download",
    "Rows": "prepared",
    "VectorTable": "vector_table",
    "about": "location",
    "as_dataset": "array_datasets",
    "centre_crop": "image_files",
    "changed_factors": "pairs",
    "check_pairs": "pairs",
    "counted": "npz",
    "decoded": "image_files",
    "downloaded": "download",
    "draw_pairs": "pairs",
    "flat": "image_files",
    "given_folder": "unpacking",
    "grid_order": "array_datasets",
    "load_dataset": "loading",
    "moving_factors": "pairs",
    "open_npz": "npz",
    "pair_knobs": "pairs",
    "pieces": "archive",
    "prepare_examples": "examples",
    "read_factors": "factor_values",
    "read_state": "weight_files",
    "reason": "npz",
    "reordered": "prepared",
    "resized": "image_files",
    "shared_columns": "examples",
    "temporary_folder": "unpacking",
    "uncompressed": "archive",
    "unpack_file": "unpacking",
}
"""Public name -> the module that defines it."""

__all__ = sorted(_HOMES)

__getattr__, __dir__ = imported_when_used(__name__, _HOMES)
