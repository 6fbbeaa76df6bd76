"""A real JupyterLab or Notebook 7 in a real Chromium, for tests of the widgets."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

# a machine that does something else meanwhile is slow, not wrong
PATIENCE_S = 300
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
APPS = {
    "lab": ("jupyterlab", "LabApp", "lab/tree"),
    "notebook": ("notebook", "JupyterNotebookApp", "notebooks"),
}


def chromium() -> str:
    """Path of the browser; skips the test without one, and fails where CI promises one."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    message = "no Chromium: install it with `apt-get install chromium`"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook with these code cells."""
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{i}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for i, source in enumerate(cells)
        ],
    }
    path.write_text(json.dumps(document), encoding="utf-8")


@contextmanager
def jupyter(folder: Path, home: Path, app: str = "lab") -> Iterator[str]:
    """Serve a folder on loopback; gives the address before a notebook's name, with the token.

    Parameters
    ----------
    folder : Path
        With the notebooks.
    home : Path
        For settings and logs, nothing of the user's.
    app : str
        "lab" or "notebook".
    """
    module, options, tree = APPS[app]
    settings = home / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    news = settings / "notification.jupyterlab-settings"
    news.write_text('{"fetchNews": "false", "checkForUpdates": false}', encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "config" / "lab" / "user-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "config" / "lab" / "workspaces"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONPATH": str(Path(__file__).parent),
    }
    command = [
        *(sys.executable, "-m", module, "--no-browser", "--allow-root"),
        *(f"--ServerApp.root_dir={folder}", f"--ServerApp.port={port}"),
        *("--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={token}", f"--{options}.expose_app_in_browser=True"),
    ]
    with open(home / f"{app}.log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_for_port(port, server, home / f"{app}.log")
            # `reset` closes what an earlier notebook left open in the same workspace
            yield f"http://127.0.0.1:{port}/{tree}/{{name}}?token={token}&reset"
        finally:
            server.terminate()
            server.wait(PATIENCE_S)


def _wait_for_port(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"Jupyter did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium without a window; one at a time."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        try:
            yield running
        finally:
            running.close()


def new_page(running: Any, **options: Any) -> Any:
    """A page of the browser; `page.strangers` lists requests to other machines."""
    page = running.new_page(viewport={"width": 1500, "height": 1000}, **options)
    page.set_default_timeout(PATIENCE_S * 1000)
    page.strangers = []

    def note(request: Any) -> None:
        parts = urlsplit(request.url)
        local = {"127.0.0.1", "localhost"}
        if parts.scheme not in ("data", "blob") and parts.hostname not in local:
            page.strangers.append(request.url)

    # leaving a page with unsaved changes asks
    page.on("dialog", lambda dialog: dialog.accept())
    page.on("request", note)
    page.on("websocket", note)
    return page


def open_notebook(page: Any, address: str, name: str) -> None:
    """Open a notebook and wait for its kernel."""
    page.goto(address.format(name=name))
    wait_for_kernel(page)


def wait_for_kernel(page: Any) -> None:
    page.wait_for_function(
        """() => {
            const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
            return kernel?.status === "idle" && kernel.connectionStatus === "connected";
        }"""
    )


def run_all_cells(page: Any) -> None:
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")


def run_and_wait(page: Any, command: str = "run-all-cells") -> None:
    """Run cells with a command of the notebook's menu until they are done."""
    page.evaluate(
        "async (name) => { await window.jupyterapp.commands.execute(name) }", f"notebook:{command}"
    )
    wait_for_kernel(page)


def outputs(page: Any) -> list[list[dict[str, Any]]]:
    """Outputs of each cell as the notebook holds them, whether in view or not."""
    return page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets.map(
            (cell) => cell.model.outputs?.toJSON() ?? [])"""
    )


class Prompts:
    """What a user does with the prompt widget, in pixels of the frame."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.canvas = page.get_by_test_id("samflow-canvas")
        self.wait("ready", "1")

    def wait(self, name: str, value: str) -> None:
        """Wait until the canvas says so in a data attribute."""
        self.page.wait_for_selector(f'canvas[data-testid="samflow-canvas"][data-{name}="{value}"]')

    def data(self, name: str) -> str:
        return self.canvas.get_attribute(f"data-{name}")

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Position on the page of a position in the frame, at zoom 1."""
        self.canvas.scroll_into_view_if_needed()
        box = self.canvas.bounding_box()
        scale = box["width"] / int(self.canvas.get_attribute("width"))
        return box["x"] + x * scale, box["y"] + y * scale

    def click(self, x: int, y: int, button: str = "left") -> None:
        """Click on a pixel of the frame, at zoom 1, as soon as the canvas has come to rest."""
        # a position read before and clicked at later is wrong when the notebook scrolls between
        scale = self.canvas.bounding_box()["width"] / int(self.canvas.get_attribute("width"))
        position = {"x": (x + 0.5) * scale, "y": (y + 0.5) * scale}
        self.canvas.click(position=position, button=button)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.page.mouse.move(*self.place(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(*end), steps=4)
        self.page.mouse.up()

    def tool(self, name: str) -> None:
        self.page.click(f'.sf-prompt [data-tool="{name}"]')

    def settle(self) -> None:
        """Wait until Python has seen every edit and, with a model, its masks are drawn."""
        self.page.wait_for_function(
            """() => {
                const canvas = document.querySelector('[data-testid="samflow-canvas"]');
                return canvas.dataset.seen === canvas.dataset.seq
                    && canvas.dataset.shown === canvas.dataset.seq;
            }"""
        )

    def pixels(self) -> str:
        """The frame's canvas as a data URL."""
        return self.canvas.evaluate("canvas => canvas.toDataURL()")

    def status(self) -> str:
        return self.page.get_by_test_id("samflow-status").inner_text()
