import numpy as np

from curation.scores.shared import dataset_rows
from tests.curation.scores import reference


def dataset(count, cuts, words=None):
    image, _ = reference.clustered(count)
    words = reference.row_number_uids(count) if words is None else words
    return image, reference.in_shards(image, words, cuts).shards


def test_rows_are_counted_across_shards_and_empty_ones():
    _, shards = dataset(7, [2, 2, 5])
    assert dataset_rows.first_rows(shards).tolist() == [0, 2, 2, 5, 7]
    rows = dataset_rows.rows_by_index(shards)
    assert rows == {0: slice(0, 2), 1: slice(2, 2), 2: slice(2, 5), 3: slice(5, 7)}
    assert dataset_rows.all_uids(shards)[:, 1].tolist() == list(range(7))


def test_rows_in_any_order_come_from_their_shards():
    image, shards = dataset(9, [3, 5])
    image[4] = 0
    rows = np.array([8, 0, 4, 3, 0])
    units, bad = dataset_rows.unit_rows(shards, rows, "image")
    assert bad.tolist() == [False, False, True, False, False]
    assert not units[2].any()
    kept = rows[~bad]
    np.testing.assert_allclose(units[~bad], reference.unit(image[kept]), atol=1e-6)


def test_a_repeat_is_every_later_row_with_the_uid_of_an_earlier_one():
    words = reference.row_number_uids(3)[[2, 0, 2, 1, 0, 2]]
    _, shards = dataset(6, [2, 3], words)
    assert dataset_rows.repeats(shards).tolist() == [False, False, True, False, True, True]
