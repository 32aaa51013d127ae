"""Smaller and larger of two or three numbers, for all machines: Numba's CUDA target does not compile the built-in `min` and `max`."""


def smaller(a, b):
    return a if a < b else b


def larger(a, b):
    return a if a > b else b


def smallest(a, b, c):
    return smaller(smaller(a, b), c)


def largest(a, b, c):
    return larger(larger(a, b), c)
