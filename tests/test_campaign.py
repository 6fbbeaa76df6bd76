"""Campaigns on real Dask clusters: workers that die, films that can't be read, a lost scheduler."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models import save_models
from samflow.campaigns import Film, read_table, write_campaign_report
from samflow.campaigns.clusters import connected
from samflow.campaigns.ledger import Ledger
from samflow.errors import SamflowError
from samflow.lab.demo_run import write_dye_clip
from samflow.lab.synthetic import DyeClip
from samflow.runs import Run, RunOptions

SIZE, FRAMES = (64, 96), 6
BIN = Path(sys.executable).parent
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "COLUMNS": "200"}


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Five clips with their truth, weights, and a file that is no film."""
    folder = tmp_path_factory.mktemp("films")
    save_models(folder / "models")
    for number in range(5):
        write_dye_clip(folder / f"clip{number}", DyeClip(number, SIZE, FRAMES))
    (folder / "broken.mp4").write_text("not a film")
    return folder


def write_table(films, path, numbers, extra=()):
    """A table of some of the clips, over a parameter."""
    sam, xmem = sorted((films / "models").iterdir())
    rows = [
        {
            "film": films / f"clip{n}" / "clip.mp4",
            "prompts": films / f"clip{n}" / "prompts.json",
            "truth": films / f"clip{n}" / "truth",
            "name": f"film{n}",
            "Reynolds number": 1000 * n,
        }
        for n in numbers
    ]
    rows += [{"film": film, "prompts": films / "clip0" / "prompts.json"} for film in extra]
    options = {"strategies": "xmem;flow", "sam": sam, "xmem": xmem, "device": "cpu", "size": 64}
    pd.DataFrame(rows).assign(**options).to_csv(path, index=False)
    return path


def start(*arguments):
    """The installed command, as a process."""
    return subprocess.Popen(
        [BIN / "samflow", "campaign", *map(str, arguments)],
        env=ENV,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Exit code, what it printed, and the lines of its errors."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, [line for line in err.splitlines() if line.strip()]


def contents(folder):
    """Bytes of a run's masks and video."""
    files = [*sorted((folder / "masks").rglob("*.png")), folder / "comparison.mp4"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def wait_for(condition, process=None):
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.02)


def holder(folder):
    """Process that writes a run's folder, once it has written a mask; None before."""
    if not any(folder.glob("masks/*/00001.png")):
        return None
    try:
        return int((folder / ".lock").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None


def test_a_worker_dies_and_a_film_is_broken_and_the_others_end(films, tmp_path):
    broken = films / "broken.mp4"
    table = write_table(films, tmp_path / "films.csv", range(5), [broken])
    out = tmp_path / "runs"
    process = start(table, "--out", out, "--workers", 2, "--threads", 1)
    killed = []

    def kill_one():
        killed[:] = filter(None, map(holder, sorted(out.glob("film*"))))
        return bool(killed)

    wait_for(kill_one, process)
    os.kill(killed[0], signal.SIGKILL)
    code, printed, _ = finish(process)
    assert code == 0
    assert "5 of 6 films are done" in printed
    assert "broken  failed" in " ".join(printed.split("\n")).replace("   ", "  ")
    rows = pd.read_csv(out / "campaign.csv").set_index("film")
    assert rows.loc["broken", "state"] == "failed"
    assert "is not a video that can be read" in rows.loc["broken", "error"]
    assert "\n" not in rows.loc["broken", "error"]
    done = rows.drop(index="broken")
    assert (done["state"] == "done").all()
    assert (done["frames"] == FRAMES).all()
    assert done["J"].between(0, 1).all()
    assert done["drift"].between(0, 1).all()
    assert done["Reynolds number"].tolist() == [0, 1000, 2000, 3000, 4000]

    # the same bytes as single runs
    for film in read_table(table)[:5]:
        alone = run_alone(film, tmp_path / "alone" / film.name)
        assert contents(out / film.name) == contents(alone), film.name

    # a second call does nothing
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    code, printed, _ = finish(start(table, "--out", out))
    assert code == 0
    assert "dashboard" not in printed
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} == before

    page, quantities = write_campaign_report(out)
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg") == 5
    assert 'href="film3/report.html"' in text
    assert "is not a video that can be read" in text
    found = pd.read_csv(quantities)
    measured = pd.read_csv(out / "film2" / "measures.csv")
    mean = measured.query("strategy == 'flow' and region == 1")["area_px2"].mean()
    row = found.query("film == 'film2' and strategy == 'flow' and region == 'upper dye'")
    np.testing.assert_allclose(row["area_px2"], mean)
    assert row["Reynolds number"].tolist() == [2000]
    with pytest.raises(SamflowError, match="'colour' is no parameter of this campaign: it has Rey"):
        write_campaign_report(out, "colour")


def run_alone(film: Film, folder: Path) -> Path:
    """The film's run by itself, on one thread."""
    code = (
        "import torch\ntorch.set_num_threads(1)\n"
        "from samflow import Prompts, RunOptions, run\n"
        f"options = RunOptions(**{film.options!r})\n"
        f"run({film.video!r}, Prompts.load({film.prompts[0]!r}), {str(folder)!r}, options)"
    )
    subprocess.run([sys.executable, "-c", code], env=ENV, check=True, capture_output=True)
    return folder


@contextmanager
def scheduler(port, workers=2):
    """`dask scheduler` and `dask worker` as processes of their own."""
    address = f"tcp://127.0.0.1:{port}"
    commands = [["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]]
    commands += [["worker", address, "--nthreads", "1", "--no-dashboard"]] * workers
    running = [
        subprocess.Popen(
            [BIN / "dask", *command], env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for command in commands
    ]
    try:
        yield address, running[0]
    finally:
        for process in running:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_lost_scheduler_loses_nothing(films, tmp_path):
    table = write_table(films, tmp_path / "films.csv", range(2))
    out, port = tmp_path / "runs", free_port()
    with scheduler(port, workers=1) as (address, brain):
        process = start(table, "--out", out, "--scheduler", address)
        wait_for(lambda: any(map(holder, out.glob("film*"))), process)
        brain.kill()
        code, _, errors = finish(process)
    assert code == 1
    assert len([line for line in errors if line.startswith("samflow:")]) == 1
    assert "the Dask scheduler is gone: start it again" in errors[-1]
    with scheduler(port, workers=1) as (address, _):
        code, printed, _ = finish(start(table, "--out", out, "--scheduler", address))
    assert (code, "2 of 2 films are done" in printed) == (0, True)
    assert all(Run(out / name).complete for name in ("film0", "film1"))


def test_ctrl_c_ends_in_one_line_and_the_same_command_goes_on(films, tmp_path):
    table = write_table(films, tmp_path / "films.csv", range(2))
    out = tmp_path / "runs"
    process = start(table, "--out", out, "--workers", 1, "--threads", 1)
    wait_for(lambda: any(map(holder, out.glob("film*"))), process)
    process.send_signal(signal.SIGINT)
    code, _, errors = finish(process)
    assert code == 1
    assert errors[-1].startswith("samflow: interrupted: the same command goes on")
    assert not [line for line in errors if re.search("Traceback|WARNING|leaked", line)]
    code, printed, _ = finish(start(table, "--out", out, "--workers", 1))
    assert (code, "2 of 2 films are done" in printed) == (0, True)


def test_workers_as_jobs_of_slurm(films, tmp_path, monkeypatch):
    """`sbatch` stands in for SLURM: it keeps the script and starts it, as a node would."""
    jobs = tmp_path / "bin"
    jobs.mkdir()
    for name, body in {
        "sbatch": f'cp "$1" {tmp_path}/job.sh; bash {tmp_path}/job.sh > {tmp_path}/job.log 2>&1 & '
        f"echo $! > {tmp_path}/pid; echo Submitted batch job 7",
        "scancel": f"kill $(cat {tmp_path}/pid) 2> /dev/null",
    }.items():
        (jobs / name).write_text(f"#!/bin/bash\n{body}\n")
        (jobs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{jobs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    options = {"queue": "gpu", "account": "fluids", "walltime": "01:00:00", "gres": "gpu:1"}
    with connected(1, 3, slurm=options) as client:
        assert client.submit(os.getenv, "OMP_NUM_THREADS").result(timeout=120) == "3"
        assert list(client.nthreads().values()) == [1]
    script = (tmp_path / "job.sh").read_text()
    for line in ("-p gpu", "-A fluids", "-t 01:00:00", "--gres=gpu:1"):
        assert f"#SBATCH {line}" in script
    with pytest.raises(SamflowError, match="--slurm 'colour' is unknown: choose from queue"):
        connected(1, 1, slurm={"colour": "red"}).__enter__()


def test_without_dask_one_line_names_the_extra(films, tmp_path):
    table = write_table(films, tmp_path / "films.csv", [0])
    code = (
        "import sys\nsys.modules['distributed'] = None\n"
        f"sys.argv = ['samflow', 'campaign', {str(table)!r}, '--out', {str(tmp_path / 'out')!r}]\n"
        "from samflow.cli import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENV, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (
        'samflow: a campaign needs Dask: install it with pip install "samflow[cluster]".'
    )
    assert not (tmp_path / "out").exists()


def test_tables_as_csv_and_yaml(films, tmp_path):
    shutil.copy(films / "clip0" / "prompts.json", tmp_path / "camera.json")
    for name in ("b.mp4", "a.mp4", "c.mov"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "films.yaml").write_text(
        "prompts: camera.json\nstrategies: [xmem, sam]\nsize: 240\n"
        "films:\n- {film: '*.mp4', flow rate: 2.5}\n- {film: c.mov, dye: blue, start: '0:01.5'}\n"
    )
    first, second, third = read_table(tmp_path / "films.yaml")
    assert [film.name for film in (first, second, third)] == ["a", "b", "c"]
    assert first.video == str((tmp_path / "a.mp4").resolve())
    assert first.run_options() == RunOptions(("xmem", "sam"), size=240, accept_frame=True)
    assert first.parameters == {"flow rate": 2.5}
    assert third.parameters == {"dye": "blue"}
    assert third.options["start"] == 1.5
    (tmp_path / "films.csv").write_text(
        "film,prompts,Re\na.mp4,camera.json,1e3\nb.mp4, camera.json,\n"
    )
    rows = read_table(tmp_path / "films.csv")
    assert [film.parameters for film in rows] == [{"Re": 1000.0}, {}]
    assert all(film.options == {"accept_frame": True} for film in rows), "one camera, two films"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("film\na.mp4\n", "row 1: prompts is missing"),
        ("film,prompts\n*.avi,p.json\n", r"row 1: no film matches \*\.avi"),
        ("film,prompts\na.mp4,q.json\n", "row 1: prompts file .*q.json is not there"),
        ("film,prompts\na.mp4,p.json\nb/a.mp4,p.json\n", "two films would have the folder 'a'"),
        ("film,prompts,sharpen\na.mp4,p.json,maybe\n", "sharpen is 'maybe': expected yes or no"),
        ("film,prompts,size\na.mp4,p.json,big\n", "row 1: invalid literal"),
        ("film,prompts\n", "has no rows"),
        ("", "is no table"),
    ],
)
def test_a_table_that_can_not_be_used_is_refused_by_row(tmp_path, text, told):
    (tmp_path / "p.json").write_text("{}")
    (tmp_path / "films.csv").write_text(text)
    with pytest.raises(SamflowError, match=told) as caught:
        read_table(tmp_path / "films.csv")
    assert "\n" not in str(caught.value)


def test_the_ledger_keeps_what_has_not_changed(films, tmp_path):
    table = read_table(write_table(films, tmp_path / "films.csv", range(3)))
    ledger = Ledger(tmp_path, table)
    ledger.note("film0", state="done", frames=6, seconds=1.5, drift=0.2)
    ledger.note("film1", state="failed", error="its own fault")
    ledger.note("film2", state="lost", error="died")
    again = Ledger(tmp_path, table)
    assert [again.state(film.name) for film in table] == ["done", "failed", "waiting"]
    other = json.loads((films / "clip0" / "prompts.json").read_text())
    other["regions"][0]["name"] = "changed"
    path = tmp_path / "other.json"
    path.write_text(json.dumps(other))
    changed = [Film(each.name, each.video, (str(path),)) for each in table]
    assert [Ledger(tmp_path, changed).state(film.name) for film in changed] == ["waiting"] * 3
    (tmp_path / "campaign.csv").write_text('"')
    with pytest.raises(SamflowError, match=r"is damaged .* delete it; finished runs are kept"):
        Ledger(tmp_path, table)


def test_a_run_that_is_there_already_is_taken_as_it_is(films, tmp_path):
    """A film's options are those of its run; another call of `run` finds nothing to do."""
    (film,) = read_table(write_table(films, tmp_path / "films.csv", [1]))
    from samflow.campaigns.film_worker import do_film

    result = do_film(film, str(tmp_path / "film1"))
    assert (result["state"], result["frames"]) == ("done", FRAMES)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "film1").rglob("*.png")}
    assert do_film(film, str(tmp_path / "film1"))["state"] == "done"
    masks = {path: time for path, time in written.items() if "masks" in path.parts}
    assert {path: path.stat().st_mtime_ns for path in masks} == masks
