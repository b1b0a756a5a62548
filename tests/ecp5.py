"""The ECP5's primitives in Python: runs a netlist of them cycle by cycle, from any state, and compares two."""

import json
import random
import re
from collections import Counter

from gatewright.hw.fpga.absorb import top_module
from gatewright.hw.fpga.synthesis import mapped
from gatewright.hw.fpga.verilog import emit_component

OPERAND = [f"{operand}{bit}" for operand in "AB" for bit in range(18)]
PRODUCT = [f"P{bit}" for bit in range(36)]
ADDRESS_BITS = {36: 5, 18: 4, 9: 3, 4: 2, 2: 1, 1: 0}
"""Lowest address pin of a block RAM that chooses a word, by the width of the word."""


def bits(value, count):
    return [value >> bit & 1 for bit in range(count)]


def number(values):
    return sum(value << bit for bit, value in enumerate(values))


class Netlist:
    """A netlist whose registers and memories begin with pseudo-random values that follow from their nets.

    `reference` is the netlist that gives the nets: a register that moved then begins with what it had there.
    """

    def __init__(self, design, reference=None, seed=0):
        module = top_module(design)
        self.ports = module["ports"]
        self.seed = seed
        self.cells = module["cells"]
        self.before = top_module(reference or design)["cells"]
        self.values = {}
        self.memories = {}
        self.latches = {}
        self.operands = {}
        for name, cell in self.cells.items():
            kind, parameters = cell["type"], cell["parameters"]
            if kind == "TRELLIS_FF":
                assert parameters["CLKMUX"] == "CLK"
                self._begin(name, ["Q"])
            elif kind == "DP16KD":
                for side in "AB":
                    outputs = [f"DO{side}{bit}" for bit in range(18)]
                    self.latches |= {
                        (name, port): self._random(self.before[name]["connections"][port][0])
                        for port in outputs
                    }
                    self._begin(name, outputs)
            elif kind == "MULT18X18D":
                connections = self.before[name]["connections"]
                self.operands[name] = [self._random(connections[port][0]) for port in OPERAND]
                if parameters.get("REG_OUTPUT_CLK", "NONE") != "NONE":
                    self._begin(name, PRODUCT)
        self.order = self._sorted()

    def _random(self, key):
        if isinstance(key, str) and key in "01x":
            return int(key == "1")
        return random.Random(f"{self.seed} {key}").getrandbits(1)

    def _begin(self, name, ports):
        for port in ports:
            (net,) = self.cells[name]["connections"][port]
            self.values[net] = self._random(net)

    def _get(self, cell, port):
        return self._nets(cell, port)[0]

    def _nets(self, cell, port):
        return [
            self.values.get(net, 0) if isinstance(net, int) else int(net == "1")
            for net in cell["connections"][port]
        ]

    def _sorted(self):
        """Order the cells without registers so that each comes behind those that it reads."""
        driver = {}
        for name, cell in self.cells.items():
            registered = (
                cell["type"] in ("TRELLIS_FF", "DP16KD")
                or cell["parameters"].get("REG_OUTPUT_CLK", "NONE") != "NONE"
            )
            for port, nets in cell["connections"].items():
                if cell["port_directions"][port] == "output" and not registered:
                    driver |= dict.fromkeys(nets, name)
        order, seen = [], set()
        for root in driver.values():
            stack = [(root, False)]
            while stack:
                name, ready = stack.pop()
                if ready:
                    order.append(name)
                elif name not in seen:
                    seen.add(name)
                    stack.append((name, True))
                    cell = self.cells[name]
                    for port, nets in cell["connections"].items():
                        if cell["port_directions"][port] == "input" and self._passes(cell, port):
                            stack += [(driver[net], False) for net in nets if net in driver]
        return order

    @staticmethod
    def _passes(cell, port):
        """Whether an output follows an input at once."""
        if cell["type"] == "TRELLIS_DPR16X4":
            return port == "RAD"
        return cell["parameters"].get("REG_INPUTA_CLK", "NONE") == "NONE"

    def settle(self, inputs):
        """Apply inputs by the names of ports, and give the values of all nets."""
        for name, value in inputs.items():
            nets = self.ports[name]["bits"]
            self.values |= dict(zip(nets, bits(value, len(nets)), strict=True))
        for name in self.order:
            cell = self.cells[name]
            getattr(self, f"_{cell['type'].lower()}")(name, cell)
        return self.values

    def output(self, name):
        return number(
            self.values.get(net, 0) if isinstance(net, int) else int(net == "1")
            for net in self.ports[name]["bits"]
        )

    def _drive(self, cell, port, values):
        self.values |= dict(zip(cell["connections"][port], values, strict=True))

    def _lut(self, cell, table, ports):
        return int(cell["parameters"][table][~number(self._get(cell, port) for port in ports)])

    def _lut4(self, name, cell):
        self._drive(cell, "Z", [self._lut(cell, "INIT", "ABCD")])

    def _pfumx(self, name, cell):
        self._drive(cell, "Z", [self._get(cell, "ALUT" if self._get(cell, "C0") else "BLUT")])

    def _l6mux21(self, name, cell):
        self._drive(cell, "Z", [self._get(cell, "D1" if self._get(cell, "SD") else "D0")])

    def _ccu2c(self, name, cell):
        carry = self._get(cell, "CIN")
        for half in "01":
            assert cell["parameters"][f"INJECT1_{half}"] == "NO"
            propagate = self._lut(cell, f"INIT{half}", [f"{port}{half}" for port in "ABCD"])
            generate = int(
                cell["parameters"][f"INIT{half}"][~number(self._get(cell, f"{port}{half}") for port in "AB")]
            )
            self._drive(cell, f"S{half}", [propagate ^ carry])
            carry = carry if propagate else generate
        self._drive(cell, "COUT", [carry])

    def _trellis_dpr16x4(self, name, cell):
        word = self._word(name, number(self._nets(cell, "RAD")), 4)
        self._drive(cell, "DO", word)

    def _mult18x18d(self, name, cell):
        registered = cell["parameters"].get("REG_INPUTA_CLK", "NONE") != "NONE"
        operands = self.operands[name] if registered else [self._get(cell, port) for port in OPERAND]
        product = 1
        for operand, sign in ((operands[:18], "SIGNEDA"), (operands[18:], "SIGNEDB")):
            product *= number(operand) - (operand[17] << 18 if self._get(cell, sign) else 0)
        return self._outputs(cell, PRODUCT, bits(product, 36))

    def _outputs(self, cell, ports, values):
        for port, value in zip(ports, values, strict=True):
            self._drive(cell, port, [value])

    def _word(self, name, address, width):
        words = self.memories.setdefault(name, {})
        if address not in words:
            words[address] = bits(random.Random(f"{self.seed} {name} {address}").getrandbits(width), width)
        return words[address]

    def tick(self):
        """Let every register and memory load what the nets have after `settle`."""
        loads = []
        for name, cell in self.cells.items():
            following = getattr(self, f"_next_{cell['type'].lower()}", None)
            loads += [following(name, cell)] if following else []
        for load in loads:
            load()

    def _next_trellis_ff(self, name, cell):
        value = self._get(cell, "Q")
        parameters = cell["parameters"]
        enable = parameters["CEMUX"].strip()
        if enable == "1" or self._get(cell, "CE") == (enable == "CE"):
            value = self._get(cell, "DI")
        if parameters["LSRMUX"] == "LSR" and self._get(cell, "LSR"):
            value = int(parameters["REGSET"] == "SET")
        return lambda: self._drive(cell, "Q", [value])

    def _next_trellis_dpr16x4(self, name, cell):
        if not self._get(cell, "WRE"):
            return lambda: None
        address, word = number(self._nets(cell, "WAD")), self._nets(cell, "DI")
        return lambda: self.memories.setdefault(name, {}).__setitem__(address, word)

    def _next_mult18x18d(self, name, cell):
        parameters = cell["parameters"]
        operands = [self._get(cell, port) for port in OPERAND]
        ports = {key: parameters[key] for key in parameters if re.match("REG_.*_(CLK|CE|RST)", key)}
        for key, port in ports.items():
            assert key.endswith("CLK") or self._get(cell, port) == key.endswith("CE")
        values = dict(self.values)
        self._mult18x18d(name, cell)
        product = [self._get(cell, port) for port in PRODUCT]
        self.values = values

        def load():
            self.operands[name] = operands
            if parameters.get("REG_OUTPUT_CLK", "NONE") != "NONE":
                self._outputs(cell, PRODUCT, product)

        return load

    def _next_dp16kd(self, name, cell):
        """Port A writes, and port B reads the old word; with 36 bits each has the pins of both."""
        parameters = cell["parameters"]
        width = int(parameters["DATA_WIDTH_A"], 2)
        assert (width, 0) == (int(parameters["DATA_WIDTH_B"], 2), self._get(cell, "WEB"))
        pins = {side: [self._get(cell, f"AD{side}{bit}") for bit in range(14)] for side in "AB"}
        address = {side: number(pins[side][ADDRESS_BITS[width] :]) for side in "AB"}
        data = [self._get(cell, f"DI{side}{bit}") for side in "AB" for bit in range(18)]
        written = list(self._word(name, address["A"], width))
        for bit in range(width if self._get(cell, "CEA") and self._get(cell, "WEA") else 0):
            if width < 18 or pins["A"][bit // 9]:
                written[bit] = data[bit]
        outputs = [f"DO{side}{bit}" for side in ("AB" if width == 36 else "B") for bit in range(18)][:width]
        latched = [self.latches[name, output] for output in outputs]
        following = self._word(name, address["B"], width) if self._get(cell, "CEB") else latched
        if self._get(cell, "CEB") and self._get(cell, "RSTB"):
            following = [0] * width
        shown = list(following)
        for place, output in enumerate(outputs):
            side = output[2]
            if parameters[f"REGMODE_{side}"] == "OUTREG":
                shown[place] = latched[place] if self._get(cell, f"OCE{side}") else self._get(cell, output)

        def load():
            self.memories[name][address["A"]] = written
            self.latches |= {(name, output): bit for output, bit in zip(outputs, following, strict=True)}
            self._outputs(cell, outputs, shown)

        return load


def designed(component):
    return mapped(emit_component(component, "design"), top="design")


def counts(netlist):
    return Counter(cell["type"] for cell in top_module(json.loads(netlist))["cells"].values())


def cells(netlist, kind):
    return [cell for cell in top_module(json.loads(netlist))["cells"].values() if cell["type"] == kind]


def differences(before, after, cycles, seed=0):
    """Run two netlists from one state with the same inputs; count outputs and flip-flops that differ."""
    draw = random.Random(seed)
    before, after = json.loads(before), json.loads(after)
    pair = Netlist(before, seed=seed), Netlist(after, before, seed=seed)
    inputs = {name: len(port["bits"]) for name, port in pair[0].ports.items() if port["direction"] == "input"}
    outputs = [name for name, port in pair[0].ports.items() if port["direction"] == "output"]
    kept = [cell["connections"]["Q"][0] for cell in pair[1].cells.values() if cell["type"] == "TRELLIS_FF"]
    count = 0
    for _ in range(cycles):
        given = {name: draw.getrandbits(width) for name, width in inputs.items()}
        values = [each.settle(given) for each in pair]
        count += sum(values[0][net] != values[1][net] for net in kept)
        count += sum(pair[0].output(name) != pair[1].output(name) for name in outputs)
        for each in pair:
            each.tick()
    return count
