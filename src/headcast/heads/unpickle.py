"""Reads the pickles that head models come in, without the power that pickles have.

A pickle is a program: it may call anything that Python can import. Here it may build numbers, text, lists, dictionaries and NumPy
arrays, and nothing else. Arrays wrapped by chumpy or by a SciPy sparse matrix come out as plain arrays; neither package is needed.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from headcast.errors import FormatError, InputError

_ARRAY_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
_SPARSE_CLASSES = ("csc_matrix", "csr_matrix", "csc_array", "csr_array")
_BUILTIN_MODULES = ("builtins", "__builtin__")


class _Forbidden(Exception):
    """The pickle asks for something that is not an array."""


def read_plain_pickle(path: Path) -> Any:
    """The value in a pickle of arrays, written by Python 2 or 3.

    Raises:
        InputError: there is no such file.
        FormatError: the file is not a pickle, or asks for anything but arrays (then nothing of it was run).
    """
    if not path.is_file():
        raise InputError(f"expected the file {path}, found none")
    try:
        return _plain(_ArrayUnpickler(path).load())
    except _Forbidden as error:
        raise FormatError(
            f"expected a pickle that holds arrays only, found one that asks for {error}; nothing of it was run. "
            f"Do not open it with another program unless you trust where it comes from: {path}"
        ) from None
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError, ImportError, MemoryError) as error:
        raise FormatError(f"cannot be read as a pickle ({error}); it was cut short or is another kind of file: {path}") from error


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that knows a short list of names; every other name ends the reading before anything is called."""

    def __init__(self, path: Path):
        # latin1 is how Python 3 reads the byte strings in which Python 2 kept array contents.
        super().__init__(io.BytesIO(path.read_bytes()), encoding="latin1")
        self._known = _known_names()

    def find_class(self, module: str, name: str) -> Any:
        if module == "chumpy" or module.startswith("chumpy."):
            return self._known["wrapper"]
        if name in _SPARSE_CLASSES and (module == "scipy.sparse" or module.startswith("scipy.sparse.")):
            return self._known["csr" if name.startswith("csr") else "csc"]
        if module in _ARRAY_MODULES:
            module = "numpy"
        elif module in _BUILTIN_MODULES:
            module = "builtins"
        elif module == "copy_reg":
            module = "copyreg"
        found = self._known.get(f"{module}.{name}")
        if found is None:
            raise _Forbidden(f"{module}.{name}")
        return found


def _known_names() -> dict[str, Any]:
    """What a pickle may name. Made anew for every file, so that no pickle can change what the next one gets."""

    class Wrapper:
        """Stands in for a chumpy object: keeps its state and can do nothing."""

        state: Any = None

        def __setstate__(self, state: Any) -> None:
            self.state = state

    class Csc(Wrapper):
        """Stands in for a matrix stored by columns."""

    class Csr(Wrapper):
        """Stands in for a matrix stored by rows."""

    stand_ins = (Wrapper, Csc, Csr)

    def empty_array(_subtype: Any, _shape: Any, _typecode: Any) -> np.ndarray:
        return np.ndarray((0,), "b")

    def scalar(dtype: np.dtype, content: Any = b"") -> Any:
        if dtype.hasobject:
            raise _Forbidden("a scalar that is an object")
        data = content.encode("latin1") if isinstance(content, str) else content
        return np.frombuffer(data, dtype, count=1)[0]

    def array_from_buffer(buffer: Any, dtype: np.dtype, shape: tuple, order: str) -> np.ndarray:
        return np.frombuffer(buffer, dtype).reshape(shape, order=order)

    def encode(text: str, encoding: str = "latin1") -> bytes:
        return text.encode("latin1" if encoding in ("latin1", "latin-1") else "utf-8")

    def reconstruct(cls: type, _base: Any, _state: Any) -> Any:
        if cls not in stand_ins:
            raise _Forbidden(f"an object of {cls!r}")
        return cls()

    def new_object(cls: type, *_arguments: Any) -> Any:
        return reconstruct(cls, None, None)

    class Object:
        """Stands in for the base class that Python 2 names when it rebuilds an object."""

    return {
        "wrapper": Wrapper,
        "csc": Csc,
        "csr": Csr,
        "numpy._reconstruct": empty_array,
        "numpy.ndarray": np.ndarray,
        "numpy.dtype": np.dtype,
        "numpy.scalar": scalar,
        "numpy._frombuffer": array_from_buffer,
        "_codecs.encode": encode,
        "copyreg._reconstructor": reconstruct,
        "copyreg.__newobj__": new_object,
        "builtins.object": Object,
        "builtins.set": set,
        "builtins.frozenset": frozenset,
        "builtins.list": list,
        "builtins.dict": dict,
        "builtins.tuple": tuple,
        "builtins.bytes": bytes,
        "builtins.bytearray": bytearray,
        "collections.OrderedDict": dict,
    }


def _plain(value: Any) -> Any:
    """The value with stand-ins replaced by the arrays they hold, as far as dictionaries and lists go."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item) for item in value)
    if type(value).__name__ in ("Wrapper", "Csc", "Csr"):
        return _array_of(value)
    return value


def _array_of(stand_in: Any) -> Any:
    """The array that a chumpy object or a sparse matrix holds; None for a chumpy expression, which holds other objects only."""
    state = stand_in.state if isinstance(stand_in.state, dict) else {}
    if type(stand_in).__name__ == "Wrapper":
        return _plain(state.get("x"))
    missing = [name for name in ("data", "indices", "indptr") if not isinstance(state.get(name), np.ndarray)]
    shape = state.get("_shape", state.get("shape"))
    if missing or shape is None:
        raise ValueError(f"a sparse matrix lacks {missing or ['shape']}")
    rows, columns = (int(n) for n in shape)
    by_column = type(stand_in).__name__ == "Csc"
    major = np.repeat(np.arange(columns if by_column else rows), np.diff(state["indptr"]))
    dense = np.zeros((rows, columns), state["data"].dtype)
    np.add.at(dense, (state["indices"], major) if by_column else (major, state["indices"]), state["data"])
    return dense
