"""Export of trained networks to TFLite, and the proof that the quantized ones stay accurate."""

__version__ = "0.1.0"
