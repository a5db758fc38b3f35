"""What a device downloads: licence, index and parts, written and read section by section of docs/bundle-format.md."""
