"""What a person meets when exporting: one line each, like all of `edgedigits.errors`."""

from __future__ import annotations

from edgedigits.errors import EdgeDigitsError


class RunError(EdgeDigitsError):
    """A folder that is not a finished training run."""


class DataError(EdgeDigitsError):
    """Pictures that are missing, damaged or not what their file name says."""


class ConversionError(EdgeDigitsError):
    """A network that the converter refuses, or a format that can't be made of it."""
