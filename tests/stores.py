"""A real S3-compatible server (moto) on loopback, for tests; what it serves is counted, and it can be made to fail.

    with object_store() as store:      # or the fixture ``s3``
        ... store.url ...              # s3:// and the name of an empty bucket; the environment leads there

Processes that are started meanwhile reach it, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.request import Request, urlopen

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "rows"
SECRET = "a-secret-that-nobody-may-see"
AWS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE")


@dataclass
class Store:
    """A server: ``requests`` are "METHOD path?query", ``served`` is how many bytes of bodies it has sent.

    ``fail``, given the method and the path, may return an HTTP status that a request gets instead of its answer.
    """

    url: str
    endpoint: str = ""
    requests: list[str] = field(default_factory=list)
    served: int = 0
    fail: Callable[[str, str], int | None] | None = None

    def wrap(self, app):
        def answer(environ, start):
            place = environ["PATH_INFO"] + ("?" if environ["QUERY_STRING"] else "") + environ["QUERY_STRING"]
            method = environ["REQUEST_METHOD"]
            self.requests.append(f"{method} {place}")
            status = self.fail(method, place) if self.fail else None
            if status:
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start(f"{status} Failed", [("Content-Length", "0")])
                return [b""]
            chunks = [bytes(chunk) for chunk in app(environ, start)]
            if method == "GET":
                self.served += sum(map(len, chunks))
            return chunks

        return answer

    def forget(self):
        """Count from here on."""
        self.requests.clear()
        self.served = 0


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


@contextmanager
def object_store() -> Iterator[Store]:
    """Start a server, make a bucket, and point the environment at it; put all back afterwards."""
    store = Store(f"s3://{BUCKET}")
    app = store.wrap(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    store.endpoint = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    wanted = {"AWS_ENDPOINT_URL": store.endpoint, "AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": SECRET}
    with pytest.MonkeyPatch.context() as patched:
        for name in AWS:
            patched.delenv(name, raising=False)
        for name, value in wanted.items():
            patched.setenv(name, value)
        try:
            make_bucket(store)
            yield store
        finally:
            store.fail = None
            with urlopen(Request(f"{store.endpoint}/moto-api/reset", method="POST")):
                server.shutdown()
            thread.join()
            server.server_close()


def make_bucket(store):
    from pyarrow.fs import S3FileSystem

    host = store.endpoint.removeprefix("http://")
    S3FileSystem(scheme="http", endpoint_override=host, allow_bucket_creation=True).create_dir(BUCKET)
    store.forget()
