"""Makes the folders that backups are compared on: the same bytes, modes and times on every machine.

    python3 tests/bench/tree.py small|medium|large FOLDER

small   what a web application keeps outside of git: .env files, config/, keys; 60 files, 0.3 MB
medium  20,000 files of text, 400 MB, most of them 5 to 30 KB; gzip makes a third of it
large   2 GB: a dump of 400 MB, logs, 4,000 documents, and 40 % of pictures and films that nothing packs
"""

import array
import base64
import os
import pathlib
import random
import sys

STARTED = 1_750_000_000
PIECE = 4 << 20


class Tree:
    def __init__(self, name, folder):
        self.folder = pathlib.Path(folder)
        self.random = random.Random(f"tree {name}")
        self.words = vocabulary()
        self.files = self.bytes = 0

    def text(self, size):
        """Words by their frequency: two random bytes are one of 65,536 places in the vocabulary."""
        pieces, length = [], 0
        while length < size:
            places = array.array("H", self.random.randbytes(max(32, (size - length) // 5 * 2)))
            if sys.byteorder == "big":
                places.byteswap()
            piece = b" ".join([self.words[place] for place in places]) + b" "
            pieces.append(piece)
            length += len(piece)
        return b"".join(pieces)[:size]

    def noise(self, size):
        return self.random.randbytes(size)

    def write(self, path, size, content, mode=0o644):
        """A file whose content is made piece by piece; each has a time of its own."""
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:
            for at in range(0, size, PIECE):
                file.write(content(min(PIECE, size - at)))
        path.chmod(mode)
        time = (STARTED + 61 * self.files) * 10**9 + 987_654_321
        os.utime(path, ns=(time, time))
        self.files += 1
        self.bytes += size

    # ------------------------------------------------------------ the three trees
    def small(self):
        def settings(size):
            lines = []
            while sum(map(len, lines)) < size:
                lines.append(self.random.choice(self.words[:900]).upper() + b"_SECRET=" + base64.b64encode(self.noise(30)) + b"\n")
            return b"".join(lines)[:size]

        for name, size in (("", 2400), (".production", 2600), (".staging", 2500), (".local", 900)):
            self.write(f".env{name}", size, settings, 0o600)
        self.write(".env.example", 1200, settings)
        for number in range(30):
            self.write(f"config/service{number // 5}/settings{number}.yml", self.random.randint(800, 15_000), self.text)
        for number in range(10):
            self.write(f"config/nginx/conf.d/host{number}.conf", self.random.randint(1_000, 5_000), self.text)
        for number in range(9):
            self.write(f"config/keys/key{number}.pem", 1_700, lambda size: base64.encodebytes(self.noise(size))[:size], 0o600)
        for number in range(6):
            self.write(f"config/locale/{number}.json", 6_000, self.text)
        (self.folder / "config/current").symlink_to("service0")

    def medium(self):
        sizes = [self.random.lognormvariate(0, 1) for _ in range(20_000)]
        scale = 400_000_000 / sum(sizes)
        for number, size in enumerate(sizes):
            self.write(f"app{number % 20}/module{number % 400}/part{number % 7}/source{number}.py", int(size * scale) + 64, self.text)

    def large(self):
        self.write("dump/database.sql", 400_000_000, self.text, 0o600)
        for number in range(30):
            self.write(f"logs/app.{number}.log", 20_000_000, self.text)
        for number in range(4_000):
            self.write(f"documents/{number % 50}/document{number}.json", self.random.randint(4_000, 96_000), self.text)
        self.write("media/film.mp4", 250_000_000, self.noise)
        number = 0
        while self.bytes < 2_000_000_000:
            size = min(2_000_000_000 - self.bytes, self.random.randint(100_000, 4_000_000))
            self.write(f"media/{number % 20}/picture{number}.jpg", size, self.noise)
            number += 1


def vocabulary():
    """65,536 places: few words have many of them, as in any language; besides, numbers and phrases that come again."""
    chance = random.Random("vocabulary")
    letters = "eeeeettttaaaooooiiinnnsssrrrhhdlcumfpgwybvk_"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 11))) for _ in range(8_000)]
    words = ["=", "{", "}", "\n", "\n  ", "\n    ", ");", "return", "null", '": "', "10.0.0.", "GET /", "WHERE", "INFO"] + words
    weights = [1 / (rank + 2) for rank in range(len(words))]
    phrases = [" ".join(chance.choices(words, weights, k=chance.randint(3, 8))) for _ in range(400)]
    places = chance.choices(words, weights, k=52_000)
    places += chance.choices(phrases, [1 / (rank + 2) for rank in range(len(phrases))], k=7_000)
    places += [str(chance.randrange(10 ** chance.randint(1, 9))) for _ in range(65_536 - len(places))]
    return [place.encode() for place in places]


def make(name, folder):
    """Makes the tree unless it is there already, whole."""
    folder = pathlib.Path(folder)
    done = folder.with_name(f"{folder.name}.done")
    if not done.exists():
        tree = Tree(name, folder)
        getattr(tree, name)()
        done.write_text(f"{tree.files} files, {tree.bytes} bytes\n")
    return done.read_text().strip()


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("small", "medium", "large"):
        sys.exit(__doc__)
    print(make(sys.argv[1], sys.argv[2]))
