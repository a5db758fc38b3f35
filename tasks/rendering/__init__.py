"""The parts of `tasks.render`: what it calls outside, and (`inside` and below) what runs in the sandbox."""
