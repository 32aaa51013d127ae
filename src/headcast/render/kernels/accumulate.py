"""Adding into an array that several pixels write to; the CUDA target replaces the body by an atomic addition."""


def accumulate(array, row, column, value):
    """array[row, column] += value. On the CPU the caller makes sure that no other thread writes to this array."""
    array[row, column] += value
