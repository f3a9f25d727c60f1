import pytest

from curation.readers.shared.column_names import source_names, unique_names


@pytest.mark.parametrize(
    ("names", "unique"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "A", "a"], ["a", "A_2", "a_3"]),
        (["a", "a_2", "a"], ["a", "a_2", "a_3"]),
        (["x", "", ""], ["x", "column_2", "column_3"]),
        (["\ud800"], ["?"]),
        (["Taken", "taken"], ["Taken_2", "taken_3"]),
    ],
)
def test_repeated_empty_and_taken_names_become_unique(names, unique):
    assert unique_names(names, ["taken"]) == unique


def test_names_of_sample_columns_get_a_prefix():
    assert source_names(["UID", "stars", "source_uid"]) == ["source_UID", "stars", "source_uid_2"]
    assert source_names(["uid", "Key"], ["key"]) == ["uid", "source_Key"]
