"""What keeps the CDN right: words of what changed, the shell of imported packages, and the signing key of addresses."""
