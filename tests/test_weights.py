import hashlib
import io
import json
import pickle
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from samflow.errors import SamflowError
from samflow.weights import (
    REGISTRY,
    RegistryEntry,
    cache_folder,
    fetch,
    load_checkpoint,
    verify,
)
from samflow.weights import file_download as download_module

SAM = {"image_encoder.patch.weight": (200, 300), "mask_decoder.token.weight": (4,)}
XMEM = {"key_encoder.conv1.weight": (2, 3), "value_encoder.conv1.weight": (4,)}
# the download keeps whole chunks when the connection breaks
CHUNK = 1 << 16


def weights(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return list(found) == list(expected) and all(
        torch.equal(found[name], expected[name]) for name in expected
    )


def saved(content: object, **options: bool) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


class Server:
    """A real HTTP server on this machine that can break off, refuse or answer with a page.

    `cuts` holds how many bytes of the next answers are sent before the connection is closed.
    """

    def __init__(self) -> None:
        self.data = b""
        self.cuts: list[int] = []
        self.status = 200
        self.ranges = True
        self.asked: list[str | None] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}/model.pth"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, server: Server, *arguments: object) -> None:
        self.rules = server
        super().__init__(*arguments)

    def do_GET(self) -> None:
        rules = self.rules
        asked = self.headers.get("Range")
        rules.asked.append(asked)
        if rules.status != 200:
            self.send_error(rules.status)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and rules.ranges else 0
        body = rules.data[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: rules.cuts.pop(0)] if rules.cuts else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download_module, "_PAUSE_SECONDS", 0.01)
    server = Server()
    server.data = saved(weights(SAM))
    yield server
    server.close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("SAMFLOW_CACHE", str(folder))
    return folder


@pytest.fixture
def entry(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> RegistryEntry:
    """Registry entry "tiny" with a published hash, served by the local server."""
    digest = hashlib.sha256(server.data).hexdigest()
    entry = RegistryEntry("tiny", "sam", server.url, "none", len(server.data), digest)
    monkeypatch.setitem(REGISTRY, "tiny", entry)
    return entry


@pytest.fixture
def unhashed(entry: RegistryEntry, monkeypatch: pytest.MonkeyPatch) -> RegistryEntry:
    """The same without a published hash."""
    entry = replace(entry, sha256=None, size=None)
    monkeypatch.setitem(REGISTRY, "tiny", entry)
    return entry


def refusal(call: object, *arguments: object) -> str:
    with pytest.raises(SamflowError) as error:
        call(*arguments)  # type: ignore[operator]
    assert "\n" not in str(error.value)
    return str(error.value)


def test_registry_holds_the_official_facts() -> None:
    assert list(REGISTRY) == ["vit_b", "vit_l", "vit_h", "XMem", "XMem-s012"]
    facts = {
        "vit_b": ("01ec64", 375042383, "ec2df627"),
        "vit_l": ("0b3195", 1249524607, "3adcc431"),
        "vit_h": ("4b8939", 2564550879, "a7bf3b02"),
    }
    for name, (md5_start, size, sha_start) in facts.items():
        entry = REGISTRY[name]
        assert entry.kind == "sam"
        assert entry.file == f"sam_{name}_{md5_start}.pth"
        assert entry.size == size
        assert entry.sha256 is not None
        assert entry.sha256.startswith(sha_start)
        assert len(entry.sha256) == 64
    for name in ("XMem", "XMem-s012"):
        assert REGISTRY[name].kind == "xmem"
        assert REGISTRY[name].file == f"{name}.pth"
        assert REGISTRY[name].sha256 is None


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMFLOW_CACHE", "/some/where")
    assert cache_folder() == Path("/some/where")
    monkeypatch.delenv("SAMFLOW_CACHE")
    assert "samflow" in str(cache_folder())


def test_fetch_downloads_once(
    server: Server, entry: RegistryEntry, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = fetch("tiny", progress=False)
    assert path == cache / "model.pth"
    assert path.read_bytes() == server.data
    assert fetch("tiny") == path
    assert server.asked == [None]
    assert [p.name for p in cache.iterdir()] == ["model.pth"]
    assert capfd.readouterr() == ("", "")


def test_progress_is_shown(
    server: Server, entry: RegistryEntry, capfd: pytest.CaptureFixture[str]
) -> None:
    fetch("tiny")
    out, err = capfd.readouterr()
    assert "model.pth" in out + err
    assert "100%" in out + err


def test_broken_connection_goes_on_where_it_broke(server: Server, entry: RegistryEntry) -> None:
    server.cuts = [2 * CHUNK, CHUNK + 1000]
    assert fetch("tiny", progress=False).read_bytes() == server.data
    assert server.asked == [None, f"bytes={2 * CHUNK}-", f"bytes={3 * CHUNK}-"]


def test_server_without_ranges_starts_again(server: Server, entry: RegistryEntry) -> None:
    server.cuts = [CHUNK]
    server.ranges = False
    assert fetch("tiny", progress=False).read_bytes() == server.data
    assert server.asked == [None, f"bytes={CHUNK}-"]


def test_connection_that_keeps_breaking_leaves_nothing(
    server: Server, entry: RegistryEntry, cache: Path
) -> None:
    server.cuts = [10] * 20
    message = refusal(fetch, "tiny", False)
    assert "tiny could not be downloaded" in message
    assert not any(cache.iterdir())


def test_wrong_hash_is_refused_and_not_kept(
    server: Server, entry: RegistryEntry, cache: Path
) -> None:
    server.data = saved(weights(SAM, seed=1))
    message = refusal(fetch, "tiny", False)
    assert f"expected SHA-256 {entry.sha256}" in message
    assert f"got {hashlib.sha256(server.data).hexdigest()}" in message
    assert "so it was not kept" in message
    assert not any(cache.iterdir())
    assert server.asked == [None]


def test_changed_file_in_the_cache_is_refused(
    server: Server, entry: RegistryEntry, cache: Path
) -> None:
    path = fetch("tiny", progress=False)
    changed = bytearray(server.data)
    changed[500] ^= 1
    path.write_bytes(changed)
    message = refusal(fetch, "tiny", False)
    assert f"expected SHA-256 {entry.sha256}" in message
    assert f"got {hashlib.sha256(changed).hexdigest()}" in message
    assert "Delete the file" in message
    assert message == refusal(load_checkpoint, "tiny", "sam")


def test_no_network_names_the_place_and_the_folder(
    server: Server, entry: RegistryEntry, cache: Path
) -> None:
    server.close()
    message = refusal(fetch, "tiny", False)
    assert server.url in message
    assert f"put it into {cache} as model.pth" in message
    assert "refused" in message


def test_missing_page_is_not_tried_again(server: Server, entry: RegistryEntry, cache: Path) -> None:
    server.status = 404
    assert "the server answered 404 Not Found" in refusal(fetch, "tiny", False)
    assert len(server.asked) == 1
    assert not any(cache.iterdir())


def test_file_put_by_hand_is_taken(server: Server, entry: RegistryEntry, cache: Path) -> None:
    cache.mkdir()
    (cache / "model.pth").write_bytes(server.data)
    assert fetch("tiny") == cache / "model.pth"
    assert server.asked == []


def test_cache_that_cannot_be_written(
    server: Server, entry: RegistryEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SAMFLOW_CACHE", str(tmp_path / "file" / "cache"))
    assert "SAMFLOW_CACHE" in refusal(fetch, "tiny", False)


def test_unpublished_hash_is_recorded_and_checked(
    server: Server, unhashed: RegistryEntry, cache: Path
) -> None:
    path = fetch("tiny", progress=False)
    digest = hashlib.sha256(server.data).hexdigest()
    record = json.loads((cache / "model.pth.json").read_text())
    assert record == {"file": "model.pth", "url": server.url, "sha256": digest}
    assert fetch("tiny") == path
    other = saved(weights(SAM, seed=1))
    path.write_bytes(other)
    message = refusal(fetch, "tiny", False)
    assert f"expected SHA-256 {digest}, got {hashlib.sha256(other).hexdigest()}" in message
    path.unlink()
    server.data = other
    assert f"expected SHA-256 {digest}" in refusal(fetch, "tiny", False)


def test_damaged_record_is_not_passed_over(
    server: Server, unhashed: RegistryEntry, cache: Path
) -> None:
    fetch("tiny", progress=False)
    (cache / "model.pth.json").write_text("{}")
    assert "delete both files" in refusal(fetch, "tiny", False)


def test_web_page_instead_of_a_checkpoint(
    server: Server, unhashed: RegistryEntry, cache: Path
) -> None:
    server.data = b"<!doctype html><title>Log in to the hotel network</title>"
    assert "something that is not a checkpoint" in refusal(fetch, "tiny", False)
    assert not any(cache.iterdir())


def test_verify_tells_absent_ok_and_differs(
    server: Server, entry: RegistryEntry, cache: Path
) -> None:
    assert {row.state for row in verify()} == {"absent"}
    path = fetch("tiny", progress=False)
    (cache / "XMem.pth").write_bytes(b"put by hand, no hash known")
    states = {row.name: row.state for row in verify()}
    assert states == {
        "vit_b": "absent",
        "vit_l": "absent",
        "vit_h": "absent",
        "XMem": "ok",
        "XMem-s012": "absent",
        "tiny": "ok",
    }
    path.write_bytes(b"other")
    assert {row.name: row.state for row in verify()}["tiny"] == "differs"
    assert {row.name: row.path for row in verify()}["tiny"] == path


def test_unknown_name_lists_the_known_ones(cache: Path) -> None:
    message = refusal(fetch, "vit_x")
    assert "vit_b, vit_l, vit_h, XMem, XMem-s012" in message
    message = refusal(load_checkpoint, "vit_x", "sam")
    assert "demo, vit_b, vit_l, vit_h." in message
    assert "demo, XMem, XMem-s012." in refusal(load_checkpoint, "missing.pth", "xmem")


def test_load_by_name(server: Server, entry: RegistryEntry) -> None:
    checkpoint = load_checkpoint("tiny", "sam")
    assert checkpoint.name == "tiny"
    assert checkpoint.sha256 == entry.sha256
    assert same(checkpoint.state_dict, weights(SAM))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapper", [None, "model", "state_dict"])
def test_load_torch_files(tmp_path: Path, zipped: bool, wrapper: str | None) -> None:
    content = weights(XMEM)
    data = saved(
        {wrapper: content, "epoch": 3} if wrapper else content,
        _use_new_zipfile_serialization=zipped,
    )
    (tmp_path / "mine.pth").write_bytes(data)
    checkpoint = load_checkpoint(tmp_path / "mine.pth", "xmem")
    assert checkpoint.name == "mine.pth"
    assert checkpoint.path == tmp_path / "mine.pth"
    assert checkpoint.sha256 == hashlib.sha256(data).hexdigest()
    assert same(checkpoint.state_dict, content)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_load_safetensors_as_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    content = {name: value.to(dtype) for name, value in weights(SAM).items()}
    content["mask_decoder.steps"] = torch.tensor([7])
    save_file(content, tmp_path / "mine.safetensors")
    loaded = load_checkpoint(str(tmp_path / "mine.safetensors"), "sam").state_dict
    assert loaded["mask_decoder.steps"].dtype == torch.int64
    for name in SAM:
        assert loaded[name].dtype == torch.float32
        assert torch.equal(loaded[name], content[name].float())


def test_wrong_kind_is_refused(tmp_path: Path, cache: Path) -> None:
    torch.save(weights(XMEM), tmp_path / "XMem.pth")
    torch.save(weights(SAM), tmp_path / "sam.pth")
    torch.save({"conv.weight": torch.zeros(2)}, tmp_path / "other.pth")
    message = refusal(load_checkpoint, tmp_path / "XMem.pth", "sam")
    assert "XMem.pth is an XMem checkpoint, expected a SAM one" in message
    message = refusal(load_checkpoint, tmp_path / "sam.pth", "xmem")
    assert "is a SAM checkpoint, expected an XMem one" in message
    assert "is not a SAM checkpoint" in refusal(load_checkpoint, tmp_path / "other.pth", "sam")
    assert "is an XMem checkpoint" in refusal(load_checkpoint, "XMem", "sam")
    assert not cache.exists()


class Bomb:
    """Makes a file when it is unpickled without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def bombs(trigger: Path) -> dict[str, bytes]:
    bomb = Bomb(trigger)
    return {
        "torch": saved(weights(SAM) | {"mask_decoder.x": bomb}),
        "older torch": saved({"mask_decoder.x": bomb}, _use_new_zipfile_serialization=False),
        "protocol 0": pickle.dumps(bomb, protocol=0),
        "protocol 2": pickle.dumps(bomb, protocol=2),
        "protocol 4": pickle.dumps(bomb, protocol=4),
        "whole module": saved(torch.nn.Linear(2, 2)),
    }


@pytest.mark.parametrize(
    "name", ["torch", "older torch", "protocol 0", "protocol 2", "protocol 4", "whole module"]
)
def test_pickle_with_code_runs_nothing(
    tmp_path: Path, name: str, recwarn: pytest.WarningsRecorder
) -> None:
    trigger = tmp_path / "it_ran"
    (tmp_path / "model.pth").write_bytes(bombs(trigger)[name])
    message = refusal(load_checkpoint, tmp_path / "model.pth", "sam")
    assert "holds code or objects" in message
    assert not trigger.exists()
    assert len(recwarn) == 0


def test_the_bomb_is_a_real_one(tmp_path: Path) -> None:
    trigger = tmp_path / "it_ran"
    pickle.loads(bombs(trigger)["protocol 4"]).close()
    assert trigger.exists()


def damaged() -> dict[str, bytes]:
    zipped = saved(weights(SAM))
    older = saved(weights(SAM), _use_new_zipfile_serialization=False)
    return {
        "empty.pth": b"",
        "half.pth": zipped[: len(zipped) // 2],
        "start.pt": zipped[:20],
        "older.pth": older[: len(older) - 10],
        "older_start.pth": older[:60],
        "text.pth": b"<html>Not found</html>",
        "zeros.pth": bytes(1000),
        "short.safetensors": b"abc",
        "long.safetensors": (10**9).to_bytes(8, "little") + b"{}",
    }


@pytest.mark.parametrize("name", list(damaged()))
def test_damaged_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(damaged()[name])
    message = refusal(load_checkpoint, tmp_path / name, "sam")
    assert f"{name} is damaged or no checkpoint" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.zeros(2)], "holds a list"),
        ({}, "holds an empty dict"),
        ({"epoch": 3}, "holds int under 'epoch'"),
        ({"model": {"image_encoder.x": [1, 2]}}, "holds list under 'image_encoder.x'"),
        ({0: torch.zeros(2)}, "holds Tensor under 0"),
        (torch.zeros(2), "holds a Tensor"),
    ],
)
def test_files_without_a_state_dict_are_refused(
    tmp_path: Path, content: object, words: str
) -> None:
    torch.save(content, tmp_path / "model.pth")
    assert words in refusal(load_checkpoint, tmp_path / "model.pth", "sam")


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    torch.save(weights(SAM), tmp_path / "model.onnx")
    message = refusal(load_checkpoint, tmp_path / "model.onnx", "sam")
    assert "expected a .pth, .pt or .safetensors file" in message
    assert "no file and no known name" in refusal(load_checkpoint, tmp_path, "sam")


@pytest.mark.parametrize("kind", ["sam", "xmem"])
def test_demo_weights_are_in_the_package(kind: str) -> None:
    checkpoint = load_checkpoint("demo", kind)  # type: ignore[arg-type]
    assert checkpoint.name == "demo"
    assert checkpoint.path.name == f"{kind}_demo.safetensors"
    for value in checkpoint.state_dict.values():
        assert not value.is_floating_point() or value.dtype == torch.float32
        assert torch.isfinite(value).all()
