import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_manifest_is_valid_and_every_command_exists():
    from importlib import import_module

    from npe2 import PluginManifest

    manifest = PluginManifest.from_file(ROOT / "napari.yaml")
    assert manifest.name == PROJECT["name"]
    validated = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", str(ROOT / "napari.yaml")], capture_output=True
    )
    assert validated.returncode == 0, validated.stdout
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        if module.endswith(".gui"):  # needs Qt; the tests of the window open it
            assert name in import_module(module).__all__
        else:
            assert callable(getattr(import_module(module), name))


def test_the_manifest_at_the_root_is_the_one_in_the_package():
    link = ROOT / "napari.yaml"
    assert link.resolve() == (ROOT / "src" / "napari_tsimcne" / "napari.yaml").resolve()


def test_the_package_imports_neither_torch_nor_qt():
    code = (
        "import sys, napari_tsimcne\n"
        "heavy = {'torch', 'torchvision', 'napari', 'pandas', 'PyQt6', 'PySide6', 'qtpy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_window_does_not_import_torch():
    code = (
        "import sys\n"
        "from napari_tsimcne import gui\n"
        "assert all(callable(getattr(gui, name)) for name in gui.__all__)\n"
        "import napari_tsimcne.gui.dialogs._compare\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_base_dependencies_name_no_qt_binding():
    names = " ".join(PROJECT["dependencies"]).lower()
    assert not any(binding in names for binding in ("pyqt", "pyside", "napari["))


def test_the_walls_stand():
    walls = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True
    )
    assert walls.returncode == 0, walls.stdout


LONGER = {"gui/_dock.py": 448}
"""Files that are too long, and how long they may be at most: until they are taken apart."""


def test_files_stay_short():
    source = ROOT / "src" / "napari_tsimcne"
    long = {
        name: lines
        for path in source.rglob("*.py")
        if (lines := len(path.read_text().splitlines()))
        > LONGER.get(name := path.relative_to(source).as_posix(), 400)
    }
    assert not long


def test_versions_agree():
    from napari_tsimcne import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^version: {__version__}$", (ROOT / "CITATION.cff").read_text(), re.M)


def test_the_lines_of_the_readme_run(tmp_path, monkeypatch):
    """The README's Python example, on sample images and with fewer epochs."""
    from napari_tsimcne.samples import write_sample

    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(blocks) == 1
    write_sample(tmp_path / "images", fields=1, cells=17)
    monkeypatch.chdir(tmp_path)
    code = blocks[0].replace("Grid(size=28)", "Grid(size=28), epochs=(1, 1)")
    assert code != blocks[0]
    names: dict = {}
    exec(code, names)
    assert len(names["run"].rows()) > 256
    assert (tmp_path / "selected.csv").is_file()


@pytest.mark.parametrize("page", ["architecture", "method", "benchmarks"])
def test_links_of_the_docs_lead_somewhere(page):
    path = ROOT / "docs" / f"{page}.md"
    for link in re.findall(r"\]\((?!http)([^)#]+)", path.read_text()):
        assert (path.parent / link).exists(), link
