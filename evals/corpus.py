"""Where the real shows are: the folder of test material that is not part of the project.

Belongs here: finding it and saying so in one line where it is missing.
"""

import os
from pathlib import Path

from top5.errors import PermanentError

DEFAULT = Path(__file__).resolve().parent.parent.parent / "shared" / "corpus"


def find_corpus(given: Path | None = None) -> Path:
    """The folder given, else `$TOP5_CORPUS`, else ../shared/corpus. Raises PermanentError `no_corpus` where it has no shows."""
    path = given or Path(os.environ.get("TOP5_CORPUS", DEFAULT))
    if not (path / "shows").is_dir():
        raise PermanentError("no_corpus", f"There is no corpus with a folder shows/ at {path}; set TOP5_CORPUS to its folder.")
    return path
