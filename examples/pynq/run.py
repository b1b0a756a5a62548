"""Run a model of a build on a Zynq under PYNQ, over AXI4-Lite: see README.md."""

import argparse

import numpy as np
from pynq import MMIO, Overlay

from gatewright.host.accelerator import Accelerator
from gatewright.host.memory import MappedMemory
from gatewright.hw.compiler.load_files import read_binary

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("overlay", help="bitstream of the block design (.bit, with its .hwh)")
parser.add_argument("image", help="load image of the model (.bin)")
parser.add_argument("inputs", help="int array [steps, inputs] in LSB of the model's input format (.npy)")
parser.add_argument("count", type=int, help="results of a sequence")
parser.add_argument("--instance", default="gatewright_mapped_0", help="name in the block design")
options = parser.parse_args()

place = Overlay(options.overlay).ip_dict[options.instance]
accelerator = Accelerator(MappedMemory(MMIO(place["phys_addr"], place["addr_range"])))
accelerator.load(read_binary(options.image))
print(accelerator.run(np.load(options.inputs), options.count))
print(accelerator.counters())
