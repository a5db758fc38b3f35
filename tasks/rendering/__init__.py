"""The parts of `tasks.render`: probing, pictures, the ffmpeg process and its launcher."""
