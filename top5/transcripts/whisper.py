"""faster-whisper's model with an encoder that works on a few windows at a time.

Belongs here: what is changed of the library. It imports CTranslate2, so import it only where a model is loaded. Does not belong here:
anything about files, pieces or words (`speech`).
"""

from importlib import import_module
from typing import Any, cast

import numpy as np
from faster_whisper import WhisperModel  # pyright: ignore[reportMissingTypeStubs]

WINDOWS_AT_ONCE = 2

_StorageView = cast(Any, import_module("ctranslate2")).StorageView


class FrugalWhisperModel(WhisperModel):
    """The same words for 0.3 GB less: attention over 1500 frames takes 72 MB for each of a batch's windows.

    Only the encoder is divided; it is as fast with two windows as with eight. The decoder, which is not, keeps the whole batch.
    """

    def encode(self, features: "np.ndarray[Any, np.dtype[np.float32]]") -> Any:
        """The encoder's output for features of shape (windows, mels, frames) or (mels, frames)."""
        whole = cast(Any, super().encode)
        if features.ndim < 3 or len(features) <= WINDOWS_AT_ONCE:
            return whole(features)
        begins = range(0, len(features), WINDOWS_AT_ONCE)
        parts: list[Any] = [np.array(whole(features[begin : begin + WINDOWS_AT_ONCE])) for begin in begins]
        return _StorageView.from_array(np.concatenate(parts))
