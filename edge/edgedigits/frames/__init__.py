"""Where pictures come from: files and folders, cameras, video files and streams."""

from edgedigits.frames.stills import (
    LONGEST_SIDE,
    Frame,
    Stamp,
    Unread,
    find_pictures,
    read_pictures,
)

__all__ = [
    "LONGEST_SIDE",
    "Frame",
    "Stamp",
    "Unread",
    "find_pictures",
    "read_pictures",
]
