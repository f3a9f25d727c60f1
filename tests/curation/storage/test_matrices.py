import zipfile

import numpy as np
import pytest

from curation.errors import CurationError
from curation.scores.base import Shard
from curation.storage.matrices import Matrix, members, open_matrix


@pytest.fixture(params=["float16", "float32"])
def rows(request):
    return np.random.default_rng(0).normal(size=(50, 8)).astype(request.param)


def is_mapped(array):
    while array is not None:
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False


def test_a_npy_is_mapped(tmp_path, rows):
    np.save(tmp_path / "a.npy", rows)
    matrix = open_matrix(tmp_path / "a.npy")
    np.testing.assert_array_equal(matrix, rows)
    assert is_mapped(matrix)
    assert not matrix.flags.writeable


def test_an_uncompressed_member_is_mapped(tmp_path, rows):
    np.savez(tmp_path / "a.npz", other=np.arange(5), l14_img=rows, l14_txt=-rows)
    for member, expected in (("l14_img", rows), ("l14_txt", -rows)):
        matrix = open_matrix(tmp_path / "a.npz", member)
        np.testing.assert_array_equal(matrix, expected)
        assert (matrix.dtype, is_mapped(matrix)) == (rows.dtype, True)
        assert not matrix.flags.writeable


def test_a_compressed_member_is_read(tmp_path, rows):
    np.savez_compressed(tmp_path / "a.npz", image=rows)
    matrix = open_matrix(tmp_path / "a.npz", "image")
    np.testing.assert_array_equal(matrix, rows)
    assert not is_mapped(matrix)
    assert not matrix.flags.writeable


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_fortran_order_gives_the_same_matrix(tmp_path, rows, save):
    save(tmp_path / "a.npz", image=np.asfortranarray(rows))
    np.testing.assert_array_equal(open_matrix(tmp_path / "a.npz", "image"), rows)


def test_a_member_whose_local_header_has_more_fields_is_mapped(tmp_path, rows):
    # The local header of a member may have more extra fields than the central directory.
    np.save(tmp_path / "image.npy", rows)
    info = zipfile.ZipInfo("image.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        info.extra = b"\xfe\xca\x04\x00abcd"
        archive.writestr(info, (tmp_path / "image.npy").read_bytes())
        info.extra = b""
    matrix = open_matrix(tmp_path / "a.npz", "image")
    np.testing.assert_array_equal(matrix, rows)
    assert is_mapped(matrix)


def test_a_matrix_may_have_no_rows(tmp_path):
    np.save(tmp_path / "a.npy", np.empty((0, 8), dtype=np.float32))
    assert open_matrix(tmp_path / "a.npy").shape == (0, 8)


def test_a_shard_may_have_a_part_of_a_matrix(tmp_path, rows):
    np.savez(tmp_path / "a.npz", image=rows)
    part = Matrix(tmp_path / "a.npz", "image", 10, 30)
    np.testing.assert_array_equal(part.open(), rows[10:30])
    assert is_mapped(part.open())
    shard = Shard(0, 20, lambda: None, part)
    np.testing.assert_array_equal(shard.image, rows[10:30])


def test_a_missing_member_is_named_with_the_existing_ones(tmp_path, rows):
    np.savez(tmp_path / "a.npz", b32_img=rows, b32_txt=rows)
    assert members(tmp_path / "a.npz") == ["b32_img", "b32_txt"]
    with pytest.raises(CurationError, match=r"holds no l14_img; it holds b32_img, b32_txt"):
        open_matrix(tmp_path / "a.npz", "l14_img")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(5),
        np.zeros((2, 2, 2)),
        np.zeros((5, 2), int),
        np.array([["a"]]),
        np.array([[None]]),
        np.zeros((2, 2), complex),
    ],
)
@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
def test_anything_but_a_matrix_of_floats_is_refused(tmp_path, array, save):
    path = tmp_path / ("a.npy" if save is np.save else "a.npz")
    save(path, array)
    member = None if save is np.save else "arr_0"
    with pytest.raises(CurationError, match=r"a\.np[yz]"):
        open_matrix(path, member)


@pytest.mark.parametrize("left", [0, 5, 40, 100, 500])
@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
def test_a_file_that_is_cut_off_is_refused(tmp_path, save, left):
    path = tmp_path / ("a.npy" if save is np.save else "a.npz")
    save(path, np.random.default_rng(0).normal(size=(50, 8)))
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(CurationError, match="cannot be read"):
        open_matrix(path, None if save is np.save else "arr_0")


def test_a_damaged_compressed_member_is_refused(tmp_path, rows):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, image=rows)
    data = bytearray(path.read_bytes())
    for position in range(100, 300):
        data[position] ^= 0x5A
    path.write_bytes(data)
    with pytest.raises(CurationError, match=r"image in .* cannot be read"):
        open_matrix(path, "image")


def test_a_damaged_header_is_refused(tmp_path, rows):
    np.save(tmp_path / "a.npy", rows)
    data = (tmp_path / "a.npy").read_bytes()
    for wrong in (b"{'descr(", b"{'descr ", b"[[[[[[[[", b"\xff" * 8):
        (tmp_path / "a.npy").write_bytes(data.replace(b"{'descr'", wrong))
        with pytest.raises(CurationError, match=r"a\.npy cannot be read as a matrix"):
            open_matrix(tmp_path / "a.npy")


def test_a_member_that_is_not_a_npy_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("image", b"x")
    with pytest.raises(CurationError, match=r"image in .*a\.npz cannot be read"):
        open_matrix(tmp_path / "a.npz", "image")


def test_a_file_that_is_not_there_is_named(tmp_path):
    for member in (None, "image"):
        with pytest.raises(CurationError, match=r"a\.npz"):
            open_matrix(tmp_path / "a.npz", member)
