"""Passwords and tokens: from a file or the environment, never from a command line that others can list."""

from __future__ import annotations

import os
from pathlib import Path

from edgedigits.settings import SettingsError


def secret(file: str, variable: str) -> str:
    """Return what a file holds, without the blanks around it; where no file is named, the variable's value.

    Raises `SettingsError` for a file that can't be read.
    """
    if not file:
        return os.environ.get(variable, "")
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise SettingsError(f"{file}: can't read the password ({reason}); check password_file") from error
