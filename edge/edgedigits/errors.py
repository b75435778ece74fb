"""The errors a person meets: one line that names the input, the problem and the remedy.

Whatever is raised on account of what a user gave (a picture, a model, a camera, a setting) derives from
`EdgeDigitsError`. The command line prints its text after the program's name and nothing else.
"""

from __future__ import annotations


class EdgeDigitsError(Exception):
    """Something about the user's own input; `str(error)` is one line fit to be shown as it is."""


class PictureError(EdgeDigitsError):
    """A picture that can't be read: missing, empty, truncated, too large, of no known format."""


class ModelError(EdgeDigitsError):
    """A model file that can't be used: truncated, no card, another input shape, no runtime installed."""


class SourceError(EdgeDigitsError):
    """A camera, video or stream that is missing, went away or stalled."""


class SourceAwayError(SourceError):
    """… and may yet come: not plugged in, not on the air, not mounted. A wrong setting is no such thing."""


class OutputError(EdgeDigitsError):
    """A place that can't be written to."""


class FormError(EdgeDigitsError):
    """A form file that can't be used: not TOML, an unknown key, a box outside the page, an idle check."""


class RegistrationError(PictureError):
    """A picture in which a form's page can't be found, or in which what was found is not that page."""


class SeveralPagesError(RegistrationError):
    """A form's page is in a picture more than once."""
