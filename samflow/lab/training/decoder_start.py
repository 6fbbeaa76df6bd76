"""The start of the demo SAM's decoder: the real prompt encoder and mask decoder of SAM ViT-H."""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch

from samflow.errors import SamflowError

# a BSD-3-Clause package that carries the Apache-2.0 weights of SAM's decoder
WHEEL = "segment-everything==0.3"
MEMBER = "segment_everything/vendored/PromptGuidedDecoder/Prompt_guided_Mask_Decoder.pt"
SHA256 = "8771b38a57ad67750dbe18fff95e66c8d1789436096738cace37d58bfc06151e"
# the first key is misspelt in the file itself
PARTS = {"PromtEncoder": "prompt_encoder", "MaskDecoder": "mask_decoder"}


def download_wheel(folder: str | Path) -> Path:
    """Download the wheel that holds the decoder with pip, unless it is in `folder` already."""
    folder = Path(folder)
    if not list(folder.glob("segment_everything-*.whl")):
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        try:
            subprocess.run([*command, "--dest", str(folder), WHEEL], check=True)
        except subprocess.CalledProcessError as error:
            raise SamflowError(
                f"pip could not download {WHEEL} (status {error.returncode}): check the network, "
                "or give the wheel or its .pt file with --decoder."
            ) from None
    return next(folder.glob("segment_everything-*.whl"))


def decoder_state(file: str | Path | None = None) -> dict[str, torch.Tensor]:
    """Read the decoder's start, with the names that `segment_anything`'s `Sam` gives its tensors.

    `file` is the wheel, or `Prompt_guided_Mask_Decoder.pt` itself; without it the wheel is
    downloaded. What is not the file of the model card's hash is refused.
    """
    if file is None:
        file = download_wheel(Path(tempfile.gettempdir()) / "samflow-decoder-start")
    file = Path(file)
    try:
        if file.suffix == ".whl":
            with zipfile.ZipFile(file) as wheel:
                content = wheel.read(MEMBER)
        else:
            content = file.read_bytes()
        if (found := hashlib.sha256(content).hexdigest()) != SHA256:
            raise SamflowError(
                f"{file} does not hold the decoder that training starts from: expected SHA-256 "
                f"{SHA256}, got {found}. Delete it, or give the wheel of {WHEEL}."
            )
        parts = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return {
            f"{name}.{key}": tensor
            for part, name in PARTS.items()
            for key, tensor in parts[part].items()
        }
    except (KeyError, RuntimeError, OSError, zipfile.BadZipFile) as error:
        raise SamflowError(
            f"{file} holds no SAM decoder ({error}): expected the wheel of {WHEEL} or its file "
            f"{Path(MEMBER).name}."
        ) from None
