"""Ink → candidate digits: pieces joined and parted, cuts offered, gathered into text lines."""

from edgedigits.glyphs.glyph import (
    Box,
    Cluster,
    Fault,
    Glyph,
    GlyphSettings,
    Mark,
    TextLine,
    box_around,
    cluster_of,
    find_clusters,
)

__all__ = [
    "Box",
    "Cluster",
    "Fault",
    "Glyph",
    "GlyphSettings",
    "Mark",
    "TextLine",
    "box_around",
    "cluster_of",
    "find_clusters",
]
