"""Container images, one folder per kind with its Dockerfile and the part of the lock that it installs (docs/images.md)."""
