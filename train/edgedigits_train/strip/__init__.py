"""The strip network: strings composed from digits, a sequence network, and its training by CTC."""
