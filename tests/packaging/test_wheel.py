import subprocess
import zipfile

from curation.cli.app import HOST
from tests.servers import free_port, wait_for

PAGES = """
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
from curation import resources

sys.argv = ["app.py", sys.argv[1]]
sys.path.insert(0, str(resources.ROOT))
app = AppTest.from_file(str(resources.APP), default_timeout=120).run()
for page in ("quadrants", "search", "targets", "overview", "sample", "select", "compare", "marks",
             "export"):
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception, (page, app.exception)
    print(page, len(app.main.children))
"""


def test_no_top_level_name_but_curation_reaches_site_packages(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {"curation", wheel_info(wheel)}
    assert not [name for name in names if "__pycache__" in name]


def wheel_info(wheel):
    name, version, *_ = wheel.name.split("-")
    return f"{name}-{version}.dist-info"


def test_demo_scores_the_sample_and_serves_the_app(everything, tmp_path):
    port = free_port()
    with subprocess.Popen(
        [everything.script, "demo", "--port", str(port), "--no-browser"],
        cwd=tmp_path,
        env=everything.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(f"http://{HOST}:{port}/_stcore/health", process, seconds=600)
        finally:
            process.terminate()
    workspace = tmp_path / "clip-curation-demo"
    info = everything.run("clip-curation", "info", str(workspace), cwd=tmp_path)
    assert "1,500 samples" in info.stdout
    pages = everything.run("python", "-c", PAGES, str(workspace), cwd=tmp_path)
    assert pages.returncode == 0, pages.stderr
    assert len(pages.stdout.splitlines()) == 9
