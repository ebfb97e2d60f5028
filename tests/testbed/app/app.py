"""A small application behind gunicorn: what the runbook's checks look at, and nothing else.

It does what every framework does: it builds its own addresses from the scheme that the server tells it and from the
Host header. So a proxy header that is lost on the way shows in `/` and in the redirect to the provider.
"""

import json
import os
import secrets
from urllib.parse import urlencode

# "http" stands for an application whose own setting builds the wrong address, whatever arrives.
FORCED_SCHEME = os.environ.get("PUBLIC_SCHEME", "")


def application(environ, start_response):
    path = environ.get("PATH_INFO", "/")
    if path == "/":
        return home(environ, start_response)
    if path == "/auth/login":
        return login(environ, start_response)
    if path == "/echo":
        return echo(environ, start_response)
    return answer(start_response, "404 Not Found", "text/plain", "no such page\n")


def home(environ, start_response):
    scheme = environ["wsgi.url_scheme"]
    page = (
        "<!doctype html>\n<html lang=\"en\"><head><title>Prime</title></head>\n"
        f"<body><h1>Prime</h1><p>scheme: {scheme}</p></body></html>\n"
    )
    return answer(start_response, "200 OK", "text/html; charset=utf-8", page)


def login(environ, start_response):
    scheme = FORCED_SCHEME or environ["wsgi.url_scheme"]
    host = environ.get("HTTP_HOST", "localhost")
    state = secrets.token_urlsafe(24)
    query = urlencode(
        {
            "client_id": "111122223333-testbed.apps.googleusercontent.com",
            "redirect_uri": f"{scheme}://{host}/auth/callback",
            "response_type": "code",
            "scope": "openid email profile",
            "state": state,
            "nonce": secrets.token_urlsafe(24),
        }
    )
    headers = [
        ("Location", f"https://accounts.google.com/o/oauth2/v2/auth?{query}"),
        ("Set-Cookie", f"state={state}; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ("Content-Length", "0"),
    ]
    start_response("302 Found", headers)
    return [b""]


def echo(environ, start_response):
    """The request headers as they arrived."""
    seen = {name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")}
    return answer(start_response, "200 OK", "application/json", json.dumps(seen, sort_keys=True) + "\n")


def answer(start_response, status, kind, text):
    body = text.encode()
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
