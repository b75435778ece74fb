"""The ways of reading a text line: glyph by glyph, as one strip, and both held against each other."""
