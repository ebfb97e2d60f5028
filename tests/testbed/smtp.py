"""A mail server on loopback that writes each mail it takes to a file.

    smtp.py FOLDER [--starttls CERT KEY | --smtps CERT KEY] [--login USER PASSWORD] [--refuse]

Writes its port to FOLDER/port when it listens, and mails to FOLDER/1, FOLDER/2, ... with the envelope in front. Ends when
its standard input does.
"""

import argparse
import asyncio
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--starttls", nargs=2)
parser.add_argument("--smtps", nargs=2)
parser.add_argument("--login", nargs=2)
parser.add_argument("--refuse", action="store_true")
wanted = parser.parse_args()


class Mailbox:
    count = 0

    async def handle_DATA(self, server, session, envelope):
        if wanted.refuse:
            return "554 5.7.1 this server takes no mail"
        self.count += 1
        login = session.auth_data.login.decode() if session.auth_data else ""
        head = f"X-Login: {login}\nX-Tls: {session.ssl is not None}\nX-To: {' '.join(envelope.rcpt_tos)}\n"
        path = wanted.folder / f"new-{self.count}"
        path.write_bytes(head.encode() + envelope.content)
        path.rename(wanted.folder / str(self.count))
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = [data.login.decode(), data.password.decode()] == wanted.login
    return AuthResult(success=good, handled=good, auth_data=data)


def tls(files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


options = {}
if wanted.starttls:
    options.update(tls_context=tls(wanted.starttls), require_starttls=True)
if wanted.login:
    options.update(authenticator=authenticate, auth_required=True, auth_require_tls=bool(wanted.starttls))


async def serve():
    mailbox = Mailbox()
    outer = tls(wanted.smtps) if wanted.smtps else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, **options), "127.0.0.1", 0, ssl=outer)
    (wanted.folder / "port.new").write_text(str(server.sockets[0].getsockname()[1]))
    (wanted.folder / "port.new").rename(wanted.folder / "port")
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(serve())
