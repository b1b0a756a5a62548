"""From a bundle to what the accelerator loads: image and program."""

from gatewright.hw.compiler.compile import ANY_MODEL, compile_bundle, smallest_config
from gatewright.hw.compiler.image import Compiled, Image
from gatewright.hw.compiler.pack import Mode

__all__ = ["ANY_MODEL", "Compiled", "Image", "Mode", "compile_bundle", "smallest_config"]
