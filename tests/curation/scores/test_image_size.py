import pyarrow as pa
import pytest

from curation.scores import SCORES, image_size
from curation.scores.base import Data, Shard


def scored(**columns):
    """Smaller sides and aspect ratios of a shard whose samples have these columns."""
    table = pa.table(columns)

    def samples(names):
        return table.select([n for n in names if n in table.column_names])

    shard = Shard(0, len(table), lambda: None, samples=samples)
    result = SCORES["image_size"].prepare(Data([shard]), {})(shard, "cpu")
    return result["smaller_side"].to_pylist(), result["aspect_ratio"].to_pylist()


def test_is_the_smaller_side_and_the_ratio_of_the_sides():
    result = image_size(pa.array([640, 200, 7]), pa.array([480, 600, 7]))
    assert result.smaller_side.to_pylist() == [480, 200, 7]
    assert result.aspect_ratio.to_pylist() == pytest.approx([4 / 3, 3, 1])
    assert (result.smaller_side.type, result.aspect_ratio.type) == (pa.int32(), pa.float32())


@pytest.mark.parametrize("missing", [None, 0, -1])
def test_an_image_with_an_unknown_side_has_no_size(missing):
    sides = pa.array([missing, 5], pa.int32()), pa.array([5, missing], pa.int32())
    result = image_size(*sides)
    assert result.smaller_side.to_pylist() == result.aspect_ratio.to_pylist() == [None, None]


def test_the_original_size_counts_if_the_source_has_it():
    sizes, ratios = scored(
        width=[256, 256, 256, 256],
        height=[256, 256, 256, 256],
        original_width=[1024, None, 0, 900],
        original_height=[512.0, 512.0, 300.0, None],
    )
    assert sizes == [512, 256, 256, 256]
    assert ratios == [2, 1, 1, 1]


@pytest.mark.parametrize("original", [["wide"], [None], [float("inf")], [float("nan")]])
def test_an_original_size_that_is_no_number_of_pixels_is_ignored(original):
    sizes, _ = scored(width=[30], height=[40], original_width=original, original_height=[99])
    assert sizes == [30]


def test_a_single_original_side_is_ignored():
    assert scored(width=[30], height=[40], original_width=[900])[0] == [30]


def test_no_images_give_an_empty_result():
    assert scored(width=pa.array([], pa.int32()), height=pa.array([], pa.int32())) == ([], [])
