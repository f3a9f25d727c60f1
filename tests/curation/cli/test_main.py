import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from curation.cli import main
from tests.conftest import PAIRS

ROOT = Path(__file__).resolve().parents[3]


def call(*arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, "-m", "curation", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


@pytest.fixture
def here(monkeypatch, capsys):
    """The command line in this process: exit code, standard output, standard error."""

    def call_here(*arguments):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["curation", *map(str, arguments)])
        code = 0
        try:
            main.main()
        except SystemExit as stop:
            code = stop.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call_here


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "best.yaml"
    path.write_text("name: best\nsteps: [{score: neg_clip_loss, top: 0.25}]")
    return path


def test_from_pictures_to_a_list_and_back(here, source, target_folders, model_folder, tmp_path):
    workspace = tmp_path / "w"
    scored = call(
        "score",
        source,
        "-w",
        workspace,
        "--model",
        model_folder,
        "--device",
        "cpu",
        "--target",
        f"dots={target_folders['dots']}",
        "--batch-size",
        16,
        "--batches",
        3,
    )
    assert scored.returncode == 0, scored.stderr
    assert f"{PAIRS} samples scored, 1 skipped" in scored.stdout
    assert "Device: CPU" in scored.stderr

    code, out, err = here("info", workspace)
    assert code == 0, err
    for part in ("neg_clip_loss", "norm_sim_inf_dots", "batch_size=16", "broken.jpg", "swapped"):
        assert part in out

    recipe = tmp_path / "best.yaml"
    recipe.write_text("name: best\nsteps: [{score: neg_clip_loss, top: 0.25}]")
    code, out, err = here("select", workspace, recipe, "--save", "best")
    assert code == 0, err
    digest = out.split("sha256 of the sorted uids: ")[1].split()[0]
    assert "         9    25.0 %  selected by best" in out

    code, out, err = here(
        "export",
        workspace,
        "--selection",
        "best",
        "--format",
        "csv",
        "--to",
        tmp_path / "out" / "best.csv",
    )
    assert code == 0, err
    manifest = json.loads((tmp_path / "out" / "best.manifest.json").read_text())
    assert manifest["sha256_of_sorted_uids"] == digest
    with (tmp_path / "out" / "best.csv").open(newline="") as file:
        chosen = [row["uid"] for row in csv.DictReader(file)]
    assert len(chosen) == 9

    mine = tmp_path / "mine.csv"
    mine.write_text("uid,beauty\n" + "".join(f"{u},{n}\n" for n, u in enumerate(chosen)))
    code, out, err = here("import-scores", workspace, mine)
    assert (code, err) == (0, "")
    assert "9 samples matched, 0 uids not in this dataset" in out

    code, out, err = here("import-uids", workspace, "chosen", mine)
    assert (code, err) == (0, "")
    recipe.write_text("name: both\nsteps: [{intersect: chosen}, {score: beauty, at_least: 6}]")
    code, out, err = here("select", workspace, recipe)
    assert "         3     8.3 %  selected by both" in out


def test_help_is_given_everywhere(here):
    for command in (
        [],
        ["score"],
        ["info"],
        ["select"],
        ["export"],
        ["import-scores"],
        ["import-uids"],
    ):
        code, out, err = here(*command, "--help")
        assert (code, err) == (0, "")
        assert "Usage:" in out


def test_every_parameter_of_a_score_is_an_option_with_its_default(here):
    out = " ".join(here("score", "--help")[1].split())
    for part in (
        "--temperature",
        "--batch-size",
        "--batches",
        "--negatives",
        "--seed",
        "--p",
        "[default: 32768]",
        "[default: inf and 2]",
        "[default: auto]",
    ):
        assert part in out


def test_torch_is_not_imported_until_it_is_needed():
    modules = (
        "curation.cli.main",
        "curation.catalog.catalog",
        "curation.selection.select",
        "curation.exporters.export",
        "curation.pipeline.import_scores",
        "curation.selection.decisions",
        "curation.scores",
    )
    code = (
        "import importlib, sys\n"
        "for module in sys.argv[1:]:\n"
        "    importlib.import_module(module)\n"
        "    assert not {'torch', 'open_clip'} & sys.modules.keys(), module\n"
    )
    command = [sys.executable, "-c", code, *modules]
    imported = subprocess.run(command, capture_output=True, text=True, check=False)
    assert imported.returncode == 0, imported.stderr


def test_help_does_not_import_torch():
    code = (
        "import sys, runpy; sys.argv = ['curation', 'score', '--help']\n"
        "try: runpy.run_module('curation', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT)


def assert_one_line(result, message):
    code, out, err = result
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


def test_wrong_sources_are_one_line(here, tmp_path, model_folder):
    empty, tables = tmp_path / "empty", tmp_path / "tables"
    empty.mkdir()
    tables.mkdir()
    (tmp_path / "a.jpg").write_text("not an image")
    (tables / "a.csv").write_text("image,text\n../a.jpg,a dog\n")
    (tables / "b.csv").write_text("x,y\n1,2\n")
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "a.jpg").write_text("not an image")
    (tmp_path / "fake" / "a.txt").write_text("a dog")
    for number, (source, message) in enumerate(
        (
            (empty, "is empty: it should hold images or a table"),
            (tmp_path / "none", "none does not exist"),
            (tmp_path / "a.jpg", "is not recognized"),
            (tmp_path / "fake", "no usable sample: 1 skipped; the first: a.jpg: not an image"),
            (tables / "a.csv", "1 skipped; the first: a.csv line 2: file is outside"),
            (tables / "b.csv", "no column named"),
        )
    ):
        result = here("score", source, "-w", tmp_path / f"w{number}", "-q", "--model", model_folder)
        assert_one_line(result, message)


def test_a_missing_column_is_one_line(here, source, tmp_path):
    result = here("score", source, "-w", tmp_path / "w", "-q", "--caption-column", "alt")
    assert_one_line(result, "has no column 'alt'; it has file_name, caption, swapped")


@pytest.mark.parametrize(
    "command",
    [
        ["info"],
        ["select", "r.yaml"],
        ["export", "r.yaml", "--to", "a.csv"],
        ["import-scores", "a.csv"],
        ["import-uids", "mine", "a.csv"],
    ],
)
def test_what_is_not_a_workspace_is_one_line(here, tmp_path, command):
    name, *rest = command
    assert_one_line(here(name, tmp_path, *rest), "is not a workspace")
    assert_one_line(here(name, tmp_path / "none", *rest), "is not a workspace")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: [{score: negclip, top: 0.5}]", "no score or column 'negclip'"),
        ("steps: [{score: clip_score, top: 1.5}]", "top is 1.5; expected a fraction"),
        ("steps: [{union: nobody}]", "no selection or uid list 'nobody'"),
        ("steps: [{where: caption > 5}]", "the condition does not fit"),
        ("steps: [{where: width >}]", "is not a condition"),
        ("a: [1\nb: ]", "is not YAML"),
    ],
)
def test_a_wrong_recipe_is_one_line(here, scored, recipe, text, message):
    recipe.write_text(text)
    assert_one_line(here("select", scored.path, recipe), message)


def test_an_unwritable_export_is_one_line(here, scored, recipe, tmp_path):
    (tmp_path / "file.txt").write_text("x")
    result = here("export", scored.path, recipe, "--to", tmp_path / "file.txt" / "x.parquet")
    assert_one_line(result, "cannot write")
    result = here("export", scored.path, recipe, "--to", tmp_path)
    assert_one_line(result, "is a folder")
    result = here("export", scored.path, recipe, "--to", recipe)
    assert_one_line(result, "already exists; pass --overwrite")


def test_an_export_takes_a_recipe_or_a_saved_selection(here, scored, recipe, tmp_path):
    message = "takes a RECIPE file or --selection NAME"
    assert_one_line(here("export", scored.path, "--to", tmp_path / "a"), message)
    result = here("export", scored.path, recipe, "--selection", "x", "--to", tmp_path / "a")
    assert_one_line(result, message)
    result = here("export", scored.path, "--selection", "x", "--to", tmp_path / "a")
    assert_one_line(result, "there is no selection 'x'; there are: none yet")


@pytest.mark.parametrize("target", ["dots", "dots=", "=dots", "Dots=x", "a b=x"])
def test_a_target_that_is_not_name_and_source_is_one_line(here, source, tmp_path, target):
    result = here("score", source, "-w", tmp_path / "w", "-q", "--target", target)
    assert_one_line(result, "NAME=SOURCE" if "=" not in target or target[-1] == "=" else "target")
    assert not (tmp_path / "w").exists()


def test_targets_that_are_no_embeddings_are_one_line(here, scored_copy, job, tmp_path):
    np.save(tmp_path / "text.npy", np.array([["a", "b"]]))
    np.save(tmp_path / "flat.npy", np.arange(3.0))
    np.save(tmp_path / "none.npy", np.empty((0, 64)))
    (tmp_path / "void.npy").write_bytes(b"")
    for name, message in (
        ("text", "not a .npy array of numbers"),
        ("flat", "has shape (3,)"),
        ("none", "has shape (0, 64)"),
        ("void", "not a .npy array of numbers"),
        ("gone", "gone.npy"),
    ):
        result = here(
            "score",
            job.source,
            "-w",
            scored_copy.path,
            "-q",
            "--model",
            job.model.name,
            "--target",
            f"{name}={tmp_path / name}.npy",
        )
        assert_one_line(result, message)


def test_an_unknown_model_is_one_line(here, source, tmp_path):
    result = here("score", source, "-w", tmp_path / "w", "-q", "--model", "ViT-X-99")
    assert_one_line(result, "no architecture 'ViT-X-99'")
    result = here("score", source, "-w", tmp_path / "w", "-q", "--pretrained", "openai")
    assert_one_line(result, "--pretrained goes with --model")


def test_a_model_that_cannot_be_downloaded_is_one_line(source, tmp_path):
    result = call(
        "score", source, "-w", tmp_path / "w", "-q", "--model", "ViT-B-32", "--pretrained", "openai"
    )
    assert_one_line(
        (result.returncode, result.stdout, result.stderr), "ViT-B-32 / openai cannot be"
    )
    assert "--pretrained" in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--temperature", "0", "temperature is 0.0; expected > 0"),
        ("--temperature", "inf", "temperature is inf; expected a finite number"),
        ("--batch-size", "1", "batch_size is 1; expected ≥ 2"),
        ("--batches", "0", "batches is 0; expected ≥ 1"),
        ("--p", "0.5", "p is 0.5; expected ≥ 1"),
    ],
)
def test_a_parameter_out_of_range_is_one_line(here, job, scored_copy, option, value, message):
    result = here(
        "score", job.source, "-w", scored_copy.path, "-q", "--model", job.model.name, option, value
    )
    assert_one_line(result, message)


@pytest.mark.parametrize(
    "arguments",
    [
        ["score"],
        ["score", "x"],
        ["nonsense"],
        ["score", "x", "-w", "y", "--p", "auto"],
        ["score", "x", "-w", "y", "--shard-size", "0"],
        ["info", "x", "--keep", "2"],
    ],
)
def test_wrong_usage_prints_an_error_that_names_help(here, arguments):
    code, out, err = here(*arguments)
    assert (code, out) == (2, "")
    assert "Error: " in err
    assert "--help" in err
    assert "Traceback" not in err


def test_with_strict_skipped_samples_give_exit_code_1(here, job, scored_copy):
    arguments = (
        "score",
        job.source,
        "-w",
        scored_copy.path,
        "-q",
        "--model",
        job.model.name,
        "--batch-size",
        16,
        "--batches",
        3,
    )
    assert here(*arguments)[0] == 0
    code, out, err = here(*arguments, "--strict")
    assert (code, err) == (1, "")
    assert f"clip-curation info {scored_copy.path}" in out


def test_info_judges_the_scores_by_a_label(here, scored):
    code, out, _ = here("info", scored.path, "--label", "swapped", "--keep", 0.5)
    assert code == 0
    assert "swapped: 22.2 % of the pool" in out
    assert_one_line(
        (
            *here("info", scored.path, "--label", "nope")[:1],
            "",
            here("info", scored.path, "--label", "nope")[2],
        ),
        "no score or column 'nope'",
    )


def test_an_error_of_the_machine_is_one_line(here, monkeypatch, tmp_path):
    (tmp_path / "r.yaml").mkdir()
    monkeypatch.chdir(tmp_path)
    assert here("info", "x" * 300)[0] == 2
    assert here("info", "x" * 300)[2].startswith("error: ")


def test_info_lists_every_skipped_sample_when_asked(here, scored):
    code, out, _ = here("info", scored.path, "--skipped")
    assert code == 0
    assert out.startswith("broken.jpg: image cannot be decoded: ")
    assert len(out.splitlines()) == 1
