"""Export of trained networks to TFLite, and the proof that the quantized ones stay accurate."""
