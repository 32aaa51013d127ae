"""The inner bodies of rendering as plain Python functions, and the drivers that run them on a CPU and on an NVIDIA GPU."""
