"""How a browser comes to a server with a token: the token is typed once, and a cookie stands for it.

A browser can't put a header to the address that is typed into it, and a token in an address would be kept in histories
and logs. The cookie holds no token but a secret of this process, so it is worth nothing after the server's end.
"""

from __future__ import annotations

import hmac
import secrets
from functools import partial
from urllib.parse import unquote_plus

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from .limits import Workplace
from .pages import HEADERS, plain

AT = "/sign-in"
BODY = f"""<h1>fromlogits</h1>
<form method="post" action="{AT}">
<p><label>This server needs its token.<br>
<input type="password" name="token" autocomplete="current-password" required autofocus></label>
<button>Sign in</button></p>
</form>
<p>Programs send it in a header: <code>Authorization: Bearer TOKEN</code>.</p>"""
ANOTHER = '<p role="alert"><strong>That is another token.</strong></p>'
FORM_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": f"{HEADERS['Content-Security-Policy']}; form-action 'self'",
    "Referrer-Policy": "same-origin",  # without a referrer a browser sends the form with the Origin "null"
    "WWW-Authenticate": "Bearer",
}


class Session:
    """Who has shown the token, by a header each time or once by the form.

    Args:
        token: ASCII.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode("ascii")
        self._secret = secrets.token_urlsafe(32).encode("ascii")
        self._name = f"fromlogits-{secrets.token_hex(4)}"  # cookies know no ports: another server has another name

    def is_of(self, headers: Headers) -> bool:
        values = headers.getlist("authorization")
        scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
        if scheme.lower() == "bearer":
            return self._is_token(token.strip())
        # Split by hand: the standard library's parser gives up at another program's odd cookie.
        cookies = dict(one.strip().partition("=")[::2] for one in headers.get("cookie", "").split(";"))
        return hmac.compare_digest(cookies.get(self._name, "").encode("utf-8", "replace"), self._secret)

    def begin(self, body: bytes) -> Response:
        """The answer to what the form sent: a cookie, neither for scripts nor for requests of another site's page."""
        fields = dict(one.partition("=")[::2] for one in body.decode("latin-1").split("&"))
        if not self._is_token(unquote_plus(fields.get("token", "")).strip()):
            return Response(plain("fromlogits", BODY + ANOTHER), 401, FORM_HEADERS, media_type="text/html")
        cookie = f"{self._name}={self._secret.decode('ascii')}; Path=/; HttpOnly; SameSite=Strict"
        return Response(status_code=303, headers={**HEADERS, "Location": "/", "Set-Cookie": cookie})

    def _is_token(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token)


class SignIn:
    """The endpoint that the form sends to."""

    def __init__(self, session: Session, workplace: Workplace) -> None:
        self.session, self.workplace = session, workplace

    async def sign_in(self, request: Request) -> Response:
        return await self.workplace.answer(request, lambda body: (partial(self.session.begin, body), False))


def form() -> Response:
    """What a browser gets instead of a page."""
    return Response(plain("fromlogits", BODY), 401, FORM_HEADERS, media_type="text/html")
