"""Devices: their two keys, their registration, and the proofs they carry afterwards."""
