"""A pickle may build arrays; whatever else it asks for is refused before it is called."""

import os
import pickle
import subprocess

import numpy as np
import pytest
from synthetic_models import flame_arrays, write_flame_pickle

from headcast.errors import FormatError, InputError
from headcast.heads.unpickle import read_plain_pickle


class _Runs:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def test_arrays_come_back_exactly_from_every_protocol(tmp_path):
    value = {"a": np.arange(12.0).reshape(3, 4), "b": np.array([[1, 2]], np.uint32), "c": np.float64(2.5), "list": [np.zeros(2), "text", None]}
    for protocol in range(2, 6):
        path = tmp_path / "arrays.pkl"
        path.write_bytes(pickle.dumps(value, protocol=protocol))
        found = read_plain_pickle(path)
        assert (found["a"] == value["a"]).all() and found["b"].dtype == np.uint32 and found["c"] == 2.5
        assert found["list"][1:] == ["text", None]


def test_column_order_survives(tmp_path):
    value = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    (tmp_path / "f.pkl").write_bytes(pickle.dumps(value, protocol=2))
    assert (read_plain_pickle(tmp_path / "f.pkl") == value).all()


def test_byte_strings_of_python_2_are_read(tmp_path):
    # What Python 2 writes for {'x': numpy.array([1.0, 2.0])} (protocol 2): the contents are a byte string.
    written = (
        b"\x80\x02}q\x00U\x01xq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85q\x04U\x01bq\x05\x87q\x06Rq\x07"
        b"(K\x01K\x02\x85q\x08cnumpy\ndtype\nq\tU\x02f8q\nK\x00K\x01\x87q\x0bRq\x0c(K\x03U\x01<q\rNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0eb"
        b"\x89U\x10\x00\x00\x00\x00\x00\x00\xf0?\x00\x00\x00\x00\x00\x00\x00@q\x0ftq\x10bs."
    )
    (tmp_path / "two.pkl").write_bytes(written)
    assert read_plain_pickle(tmp_path / "two.pkl")["x"].tolist() == [1.0, 2.0]


def test_chumpy_and_sparse_arrays_come_out_plain(tmp_path):
    arrays = flame_arrays()
    write_flame_pickle(tmp_path / "flame.pkl", arrays)
    found = read_plain_pickle(tmp_path / "flame.pkl")
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (_Runs(os.system, "touch {mark}"), "system"),
        (_Runs(subprocess.check_output, ["touch", "{mark}"]), "subprocess.check_output"),
        (_Runs(eval, "open('{mark}', 'w').close()"), "builtins.eval"),
        (_Runs(getattr, "text", "upper"), "builtins.getattr"),
    ],
)
def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path, call, named):
    mark = tmp_path / "mark"
    function, arguments = call.call
    arguments = tuple(argument.format(mark=mark) if isinstance(argument, str) else argument for argument in arguments)
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({"v_template": np.zeros(3), "f": _Runs(function, *arguments)}))
    with pytest.raises(FormatError, match=named) as caught:
        read_plain_pickle(path)
    assert "nothing of it was run" in str(caught.value)
    assert not mark.exists()


def test_code_behind_a_trusted_module_name_is_refused(tmp_path):
    for module, name in ((b"numpy", b"load"), (b"numpy.core.multiarray", b"fromfile"), (b"scipy.sparse", b"load_npz"), (b"copyreg", b"pickle")):
        (tmp_path / "evil.pkl").write_bytes(b"c" + module + b"\n" + name + b"\n(S'/etc/hostname'\ntR.")
        with pytest.raises(FormatError, match=name.decode()):
            read_plain_pickle(tmp_path / "evil.pkl")


def test_a_chumpy_name_gives_nothing_that_can_be_called_to_effect(tmp_path):
    (tmp_path / "evil.pkl").write_bytes(b"cchumpy.os\nsystem\n(S'touch mark'\ntR.")
    with pytest.raises(FormatError):
        read_plain_pickle(tmp_path / "evil.pkl")


def test_objects_that_are_not_stand_ins_are_not_rebuilt(tmp_path):
    (tmp_path / "evil.pkl").write_bytes(b"ccopyreg\n_reconstructor\n(cbuiltins\nlist\ncbuiltins\nobject\nNtR.")
    with pytest.raises(FormatError, match="nothing of it was run"):
        read_plain_pickle(tmp_path / "evil.pkl")


def test_one_pickle_cannot_change_what_the_next_one_gets(tmp_path):
    # BUILD with a state sets attributes on whatever lies on the stack, here on the function that stands for _reconstruct.
    (tmp_path / "first.pkl").write_bytes(b"cnumpy.core.multiarray\n_reconstruct\n}S'spoiled'\nI1\nsb.")
    read_plain_pickle(tmp_path / "first.pkl")
    value = np.arange(3)
    (tmp_path / "second.pkl").write_bytes(pickle.dumps(value, protocol=2))
    assert (read_plain_pickle(tmp_path / "second.pkl") == value).all()


def test_broken_files_are_reported(tmp_path):
    whole = pickle.dumps({"a": np.arange(1000.0)}, protocol=2)
    for name, content in (("empty", b""), ("cut", whole[:500]), ("text", b"v 0 0 0\nv 1 1 1\n"), ("noise", bytes(range(256)))):
        path = tmp_path / f"{name}.pkl"
        path.write_bytes(content)
        with pytest.raises(FormatError, match=name):
            read_plain_pickle(path)
    with pytest.raises(InputError, match="found none"):
        read_plain_pickle(tmp_path / "absent.pkl")
