import numpy as np
import pytest

from curation.errors import CurationError
from curation.pipeline import targets
from curation.pipeline.targets import TargetSource
from curation.storage.workspace import Workspace
from tests import make


def test_a_target_is_a_name_and_a_source():
    assert TargetSource.parse("food=a=b/c") == TargetSource("food", make.Path("a=b/c"))


@pytest.mark.parametrize("text", ["", "food", "food=", "=x", "Food=x", "a/b=x"])
def test_what_is_not_a_name_and_a_source_is_refused(text):
    with pytest.raises(CurationError):
        TargetSource.parse(text)


def test_a_target_needs_images_but_no_captions(tmp_path):
    make.jpeg(tmp_path / "food" / "a.jpg")
    (tmp_path / "food" / "b.jpg").write_text("not an image")
    workspace = Workspace(tmp_path / "w")
    source = TargetSource("food", tmp_path / "food")
    store = targets.read(workspace, source, "tiny", make.QUIET)
    assert store.samples.receipt(0).rows == 1
    assert targets.info(store).source == str(tmp_path / "food")
    assert workspace.targets() == ["food"]


def test_a_target_without_a_usable_image_is_refused(tmp_path):
    (tmp_path / "food").mkdir()
    (tmp_path / "food" / "a.jpg").write_text("not an image")
    with pytest.raises(CurationError, match="the target food has no usable image"):
        targets.read(
            Workspace(tmp_path / "w"), TargetSource("food", tmp_path / "food"), "m", make.QUIET
        )


def test_ready_made_embeddings_are_taken_as_they_are(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1, 2], [np.nan, 1], [3, 4]], dtype=np.float16))
    workspace = Workspace(tmp_path / "w")
    store = targets.read(workspace, TargetSource("a", tmp_path / "a.npy"), "m", make.QUIET)
    np.testing.assert_array_equal(targets.load(store, "m").image, np.load(tmp_path / "a.npy"))
    with pytest.raises(CurationError, match="no embeddings of the model other"):
        targets.load(store, "other")
