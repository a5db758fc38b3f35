"""What the tests on a running stack share: the stack itself, courses to publish, devices to bundle for, and a last look."""
