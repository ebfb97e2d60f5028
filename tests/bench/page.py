"""docs/performance.md: each comparison writes a section of its own."""

import datetime
import os
import pathlib
import re

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/performance.md"


def write(heading, text):
    """Replaces the section with this heading, or adds it at the end."""
    sections = re.split(r"(?m)^(?=## )", PAGE.read_text())
    new = f"## {heading}\n\n{text.strip()}\n"
    for at, section in enumerate(sections):
        if section.startswith(f"## {heading}\n"):
            sections[at] = new
            break
    else:
        sections.append(new)
    PAGE.write_text("\n".join(section.strip() + "\n" for section in sections))
    print(f"written to {PAGE}")


def machine(*versions):
    """The machine that a table was made on, with the versions of what it compares."""
    memory = int(first("/proc/meminfo", "MemTotal").split()[0]) / 1048576
    processor, system = first("/proc/cpuinfo", "model name"), first("/etc/os-release", "PRETTY_NAME")
    told = "".join(f", {version}" for version in versions)
    return (
        f"{processor}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}, Linux {os.uname().release.split('-')[0]}"
        f"{told}, {datetime.date.today()}, load {os.getloadavg()[0]:.1f}"
    )


def first(file, key):
    """The value of a line `key: value` or `key=value`."""
    for line in pathlib.Path(file).read_text().splitlines():
        if line.startswith(key):
            return line[len(key) :].strip(" \t:=\"")
    return "unknown"
