"""How the S3 client speaks HTTP, where the library's own way would give up what TLS was asked for."""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession


class FaithfulSession(AIOHTTPSession):
    """Makes sure of the store by its roots and its name, behind a proxy too, and stays with it.

    The library's session takes a certificate for any name, takes any certificate at all once the environment names a
    proxy (`HTTPS_PROXY`), and follows redirects wherever they lead, to plain HTTP as well.
    """

    def _get_ssl_context(self) -> ssl.SSLContext:
        context: ssl.SSLContext = super()._get_ssl_context()  # type: ignore[misc]  # untyped there
        context.check_hostname = True
        return context

    def _create_connector(self, _proxy_url: str | None) -> aiohttp.TCPConnector:
        connector: aiohttp.TCPConnector = super()._create_connector(None)  # type: ignore[misc]  # as above
        return connector

    async def _get_session(self, proxy_url: str | None) -> _Unredirected:
        session = await super()._get_session(proxy_url)  # type: ignore[misc]  # as above
        return _Unredirected(session)


class _Unredirected:
    """A session, as far as the library uses it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, method: str, **options: Any) -> aiohttp.ClientResponse:
        answer = await self._session.request(method, allow_redirects=False, **options)
        if answer.status // 100 == 3 and "Location" in answer.headers:
            answer.close()
            message = f"the store redirects to another address ({answer.status}), which is not followed"
            raise aiohttp.ClientConnectionError(message)
        return answer
