import base64
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import CurationError
from curation.selection.recipe import Recipe, ScoreStep, SetStep, WhereStep, describe
from tests import make

EXAMPLE = """
name: ncl30-normsim20
steps:
  - {score: neg_clip_loss, top: 0.30, of: pool}
  - {score: norm_sim_inf_imagenet, top: 0.20, of: survivors}
  - {score: clip_score, at_least: 0.2}
  - {score: clip_score, count: 1000}
  - {where: "width >= 200 and caption != 'x'"}
  - {union: dfn_top15}
keep: ["00000000000000000000000000000001"]
drop: ["00000000000000000000000000000002"]
"""


def test_a_recipe_is_read_step_by_step():
    assert Recipe.parse(EXAMPLE) == Recipe(
        name="ncl30-normsim20",
        steps=(
            ScoreStep("neg_clip_loss", "top", 0.3, "pool"),
            ScoreStep("norm_sim_inf_imagenet", "top", 0.2, "survivors"),
            ScoreStep("clip_score", "at_least", 0.2),
            ScoreStep("clip_score", "count", 1000),
            WhereStep("width >= 200 and caption != 'x'"),
            SetStep("union", "dfn_top15"),
        ),
        keep=(make.uid(1),),
        drop=(make.uid(2),),
    )


def test_a_recipe_survives_a_round_trip_through_yaml():
    recipe = Recipe.parse(EXAMPLE)
    assert Recipe.parse(recipe.to_yaml()) == recipe


@given(
    name=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1),
    value=st.floats(allow_nan=False),
    condition=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1),
    kept=st.lists(st.integers(0, 2**128 - 1).map(lambda n: f"{n:032x}"), max_size=3),
)
def test_any_recipe_goes_to_yaml_and_back(name, value, condition, kept):
    steps = (ScoreStep("s", "at_most", value), WhereStep(condition), SetStep("except", "null"))
    recipe = Recipe(name, steps, keep=tuple(kept))
    assert Recipe.parse(recipe.to_yaml()) == recipe


def test_top_refers_to_the_pool_by_default():
    (step,) = Recipe.parse("steps: [{score: a, top: 0.5}]").steps
    assert step.of == "pool"


def test_top_may_be_nothing_or_everything():
    recipe = Recipe.parse("steps: [{score: a, top: 0}, {score: a, top: 1}, {score: a, count: 0}]")
    assert [step.value for step in recipe.steps] == [0, 1, 0]


def test_yaml_holds_a_count_as_a_whole_number():
    recipe = Recipe("r", (ScoreStep("a", "count", 1000.0), ScoreStep("a", "at_least", 2.0)))
    text = recipe.to_yaml()
    assert "count: 1000\n" in text
    assert "at_least: 2.0\n" in text


def test_a_recipe_without_a_name_is_unnamed():
    assert Recipe.parse("steps: []").name == "unnamed"


def test_a_recipe_without_steps_is_the_whole_pool():
    assert Recipe.parse("name: all").steps == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a recipe"),
        ("just text", "is not a recipe"),
        ("- 1", "is not a recipe"),
        ("{a: [", "is not YAML"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
        ("[" * 5000, "is not YAML"),
        ("name: x\nstepz: []", "'stepz'; a recipe has name, steps, keep and drop"),
        ("1: x\nfoo: y", "has 1; a recipe has"),
        ("steps: 3", "steps should be a list"),
        ("steps: [3]", "step 1: 3 is not a step"),
        ("steps: [{}]", "step 1: {} is not a step"),
        ("steps: [{where: a, union: b}]", "is not a step"),
        ("steps: [{xor: b}]", "is not a step"),
        ("steps: [{score: a}]", "one of top, count, at_least, at_most"),
        ("steps: [{score: a, top: 0.1, count: 3}]", "one of top, count, at_least, at_most"),
        ("steps: [{score: a, at_least: 0.1, of: pool}]", "goes with top"),
        ("steps: [{score: a, top: 0.1, off: pool}]", "should have a score and one of"),
        ("steps: [{union: a}, {score: a, top: 1.5}]", "step 2: top is 1.5; expected a fraction"),
        ("steps: [{score: a, top: -0.1}]", "top is -0.1; expected a fraction from 0 to 1"),
        ("steps: [{score: a, top: 30%}]", "top is '30%'; expected a number"),
        ("steps: [{score: a, top: true}]", "top is True; expected a number"),
        ("steps: [{score: a, top: .nan}]", "top is nan; expected a number"),
        ("steps: [{score: a, at_least: .nan}]", "at_least is nan; expected a number"),
        ("steps: [{score: a, at_least: }]", "at_least is None; expected a number"),
        (f"steps: [{{score: a, at_most: 1{'0' * 400}}}]", "expected a number"),
        ("steps: [{score: a, count: -1}]", "count is -1; expected a whole number"),
        ("steps: [{score: a, count: 1.5}]", "count is 1.5; expected a whole number"),
        ("steps: [{score: a, count: .inf}]", "count is inf; expected a whole number"),
        ("steps: [{score: a, top: 0.1, of: half}]", "of is 'half'; expected pool or survivors"),
        ("keep: abc", "keep should be a list of uids"),
        ("drop: [abc]", "drop: 'abc' is not a uid"),
    ],
)
def test_an_invalid_recipe_is_refused_with_the_location_of_the_error(text, message):
    with pytest.raises(CurationError) as raised:
        Recipe.parse(text, "r.yaml")
    assert message in str(raised.value)
    assert str(raised.value).startswith("r.yaml")


def test_uids_may_be_in_capitals():
    recipe = Recipe.parse(f"keep: [{'AB' * 16}]\ndrop: [{'CD' * 16}]")
    assert (recipe.keep, recipe.drop) == (("ab" * 16,), ("cd" * 16,))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CurationError, match=r"none\.yaml cannot be read"):
        Recipe.load(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(CurationError, match=r"latin\.yaml cannot be read"):
        Recipe.load(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (ScoreStep("a", "top", 0.3), "a: top 30 % of the pool"),
        (ScoreStep("a", "top", 0.125, "survivors"), "a: top 12.5 % of what is left"),
        (ScoreStep("a", "count", 1000), "a: best 1,000"),
        (ScoreStep("a", "at_least", 0.25), "a ≥ 0.25"),
        (ScoreStep("a", "at_most", -1), "a ≤ -1"),
        (WhereStep("width > 1"), "where width > 1"),
        (SetStep("except", "bad"), "except bad"),
    ],
)
def test_a_step_reads_as_a_few_words(step, words):
    assert describe(step) == words


def test_a_packed_recipe_comes_back_and_fits_an_address():
    recipe = Recipe.parse(
        "name: café\nsteps: [{score: a, top: 0.275}, {where: \"a == 'en' & x\"}, {union: b}]\n"
        f"keep: ['{'ab' * 16}']"
    )
    packed = recipe.packed()
    assert Recipe.unpack(packed) == recipe
    assert re.fullmatch(r"[\w-]+", packed)
    assert len(packed) < 200


def test_a_packed_recipe_that_was_cut_or_made_up_is_refused():
    packed = Recipe.parse("steps: [{score: a, top: 0.5}]").packed()
    deflater = zlib.compressobj(9, wbits=-15)
    huge = deflater.compress(b'"' + bytes(1 << 26)) + deflater.flush()
    nested = zlib.compress(b"[" * 100_000)[2:-4]
    made_up = [base64.urlsafe_b64encode(data).decode() for data in (huge, nested, b"")]
    for text in (packed[:-9], "%", "é", *made_up):
        with pytest.raises(CurationError, match="the link cannot be read"):
            Recipe.unpack(text, "the link")


def test_a_packed_recipe_may_unpack_to_a_mebibyte_and_no_more():
    short, long = Recipe("a" * ((1 << 20) - 100)), Recipe("a" * (1 << 20))
    assert Recipe.unpack(short.packed()) == short
    with pytest.raises(CurationError, match="the link cannot be read"):
        Recipe.unpack(long.packed(), "the link")


def test_a_packed_recipe_is_checked_like_any_other():
    packed = Recipe("x", (ScoreStep("a", "top", 30),)).packed()
    with pytest.raises(CurationError, match="the link, step 1: top is 30"):
        Recipe.unpack(packed, "the link")
