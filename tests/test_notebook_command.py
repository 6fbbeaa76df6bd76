"""`samflow notebook`: copies that belong to the user, in the wheel too, served by JupyterLab."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest

from samflow.cli.notebook_copies import copy_notebooks, notebooks_folder
from samflow.errors import SamflowError

ROOT = Path(__file__).parents[1]
NAMES = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
# as on a machine without JupyterLab: the import system finds no such package
WITHOUT_JUPYTERLAB = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "jupyterlab" else found(name, *rest)
from samflow.cli import main
sys.argv = ["samflow", "notebook", "--out", sys.argv[1]]
main()
"""


def read_all(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.ipynb")}


def test_copies_are_complete_and_made_once(tmp_path):
    assert notebooks_folder() == ROOT / "notebooks"
    out = tmp_path / "new" / "notebooks"
    assert copy_notebooks(out).written == tuple(NAMES)
    assert read_all(out) == read_all(ROOT / "notebooks")
    again = copy_notebooks(out)
    assert again.written == again.kept == ()


def test_a_changed_copy_is_kept_and_an_untouched_one_follows_samflow(tmp_path, monkeypatch):
    source = tmp_path / "notebooks_data"
    source.mkdir()
    monkeypatch.setattr("samflow.cli.notebook_copies._PACKAGED", source)
    for name in ("01.ipynb", "02.ipynb", "03.ipynb"):
        (source / name).write_text(f"first {name}")
    out = tmp_path / "mine"
    copy_notebooks(out)
    (out / "01.ipynb").write_text("my own")
    (out / "03.ipynb").unlink()
    for name in ("01.ipynb", "02.ipynb"):
        (source / name).write_text(f"second {name}")
    copies = copy_notebooks(out)
    assert copies.kept == ("01.ipynb",)
    assert copies.written == ("02.ipynb", "03.ipynb")
    assert (out / "01.ipynb").read_text() == "my own"
    assert (out / "02.ipynb").read_text() == "second 02.ipynb"
    (out / ".samflow-notebooks.json").write_text("[broken")
    (source / "02.ipynb").write_text("third 02.ipynb")
    assert copy_notebooks(out).kept == ("01.ipynb", "02.ipynb"), "unknown origin is the user's"


def test_the_notebooks_own_folder_is_left_alone():
    before = sorted(path.name for path in (ROOT / "notebooks").iterdir())
    copies = copy_notebooks(ROOT / "notebooks")
    assert copies.written == copies.kept == ()
    assert sorted(path.name for path in (ROOT / "notebooks").iterdir()) == before


def test_a_place_that_cannot_be_a_folder_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SamflowError, match="is a file: choose a folder with --out"):
        copy_notebooks(tmp_path / "file")
    with pytest.raises(SamflowError, match="could not be written"):
        copy_notebooks(tmp_path / "file" / "notebooks")


def test_the_wheel_holds_the_notebooks_and_the_command_finds_them(tmp_path):
    from hatchling.builders.wheel import WheelBuilder

    wheel = next(
        iter(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    )
    with zipfile.ZipFile(wheel) as archive:
        files = archive.namelist()
        archive.extractall(tmp_path / "site")
    inside = sorted(Path(name).name for name in files if name.endswith(".ipynb"))
    assert inside == NAMES, "list them under force-include in pyproject.toml"
    assert {name.split("/")[0] for name in files} == {"samflow", "samflow-0.1.0.dist-info"}
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_JUPYTERLAB, tmp_path / "mine"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "samflow: jupyterlab is not installed, the notebooks need it: "
        'pip install "samflow[notebook]", then run the command again.\n'
    )
    assert f"copied: {NAMES[0]}" in done.stdout
    assert read_all(tmp_path / "mine") == read_all(ROOT / "notebooks")


@pytest.fixture
def server(tmp_path):
    """The command with JupyterLab on loopback; gives its process, port and token."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    places = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    command = [
        *(Path(sys.executable).with_name("samflow"), "notebook", "--no-browser"),
        *("--out", "mine", "--port", str(port)),
        *("--", "--allow-root", "--ip=127.0.0.1", f"--IdentityProvider.token={token}"),
    ]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=tmp_path,
            env=os.environ | places,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield process, port, token
        finally:
            process.kill()
            process.wait()


def get(port, path, token=""):
    return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}?token={token}", timeout=60)


def wait_for(process, port, log):
    for _ in range(3000):
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(log.read_text())


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C can't be sent to one process there")
def test_jupyterlab_serves_the_copies_until_it_is_stopped(server, tmp_path):
    process, port, token = server
    wait_for(process, port, tmp_path / "log")
    (tmp_path / "mine" / "mine.ipynb").write_bytes((tmp_path / "mine" / NAMES[0]).read_bytes())
    for name in (NAMES[0], "mine.ipynb"):
        with get(port, f"/api/contents/{name}", token) as answer:
            assert json.load(answer)["content"]["nbformat"] == 4
    with get(port, "/", token) as answer:
        assert answer.url.split("?")[0].endswith(f"/lab/tree/{NAMES[0]}")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(port, f"/api/contents/{NAMES[0]}")
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 0, (tmp_path / "log").read_text()
    log = (tmp_path / "log").read_text()
    assert log.startswith("notebooks: mine\n")
    assert "Traceback" not in log
