"""Answers, line by line, what the installed gunicorn makes of a command line, an environment and two files.

First line out: {"version", "python", "options": [[names, kind], …]}. Then one JSON object in, one out.
"""

import contextlib
import importlib
import io
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True

# gunicorn takes its default folder when it is imported, so the folder comes first.
FOLDER = tempfile.TemporaryDirectory()
os.chdir(FOLDER.name)

from gunicorn import __version__, config
from gunicorn.app import base

WANTED = ["workers", "threads", "timeout", "graceful_timeout", "worker_class", "bind", "forwarded_allow_ips"]
CONTROLLED = ["WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "PORT", "GUNICORN_CMD_ARGS"]


def settings(cfg):
    return {name: cfg.settings[name].get() for name in WANTED}


def parse(argv):
    """The parser alone, and the validators of the wanted settings."""
    cfg = config.Config(prog="gunicorn")
    given = vars(cfg.parser().parse_args(argv))
    for name in WANTED:
        if given[name] is not None:
            cfg.set(name, given[name])
    return settings(cfg)


def load(argv):
    """gunicorn's own way from start to settings."""

    class App(base.Application):
        def init(self, parser, opts, args):
            return None

        def load(self):
            return None

    sys.argv = ["gunicorn"] + argv
    return settings(App(prog="gunicorn").cfg)


def answer(case):
    environment = case.get("environment", {})
    for name in CONTROLLED:
        os.environ.pop(name, None)
    os.environ.update(environment)
    for name in ("gunicorn.conf.py", "other.py"):
        text = case.get("files", {}).get(name)
        if text is None:
            with contextlib.suppress(FileNotFoundError):
                os.remove(name)
        else:
            with open(name, "w") as file:
                file.write(text)
    how = parse if case["mode"] == "parse" else load
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            # The environment's defaults are taken when the module is imported.
            if environment != answer.environment:
                answer.environment = None
                importlib.reload(config)
                importlib.reload(base)
                answer.environment = environment
            return {"settings": how(case["argv"])}
    except (Exception, SystemExit) as error:
        return {"refused": "%s: %s" % (type(error).__name__, error)}


answer.environment = {}

options = [[action.option_strings, action.__class__.__name__] for action in config.Config(prog="g").parser()._actions]
print(json.dumps({"version": __version__, "python": sys.version.split()[0], "options": options}), flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
os.chdir("/")
