"""3D head avatars from ordinary recordings."""

import os

# Threads that wait for work must sleep, not spin: a spinning OpenMP team costs a factor of ten as soon as another thread wants the core.
# It must stand in the environment before the first library that brings OpenMP is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# NumPy's and SciPy's matrices are small here: one thread each is faster, and its own threads spin too.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
