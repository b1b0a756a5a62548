"""Speech as the features that Silero VAD's LSTM takes, in one file for ``gatewright quantise`` and ``search``."""

import argparse
from pathlib import Path

import numpy as np
from speech import read_speech, take_frames
from vad import Vad


def main() -> None:
    """Write the features of some speech: X [steps, 128] and lengths, sequence by sequence, without targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="silero_vad_16k_sequence.onnx")
    parser.add_argument("--speech", type=Path, required=True, help="folder with .wav files")
    parser.add_argument("--seconds", type=float, default=480.0, help="speech to take (480)")
    parser.add_argument("--out", type=Path, default=Path("speech.npz"), help="the file that is written")
    given = parser.parse_args()
    vad = Vad(given.model)
    features = [vad.features(each) for each in take_frames(read_speech(given.speech), given.seconds)]
    np.savez(given.out, X=np.concatenate(features), lengths=[len(each) for each in features])


if __name__ == "__main__":
    main()
