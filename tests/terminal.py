"""What a user sees on a terminal."""


def one_line(stderr: str) -> str:
    """The one clear line that a command which refuses its input ends with."""
    lines = [line for line in stderr.splitlines() if line.startswith("samflow:")]
    assert len(lines) == 1
    assert stderr.rstrip().endswith(lines[0])
    assert "Traceback" not in stderr
    return lines[0]
