"""A real S3-compatible server (moto) on loopback, for tests; what it serves is counted, and it can be made to fail."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "rows"


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


@dataclass
class Store:
    """``url`` is that of an empty bucket; ``requests`` are "METHOD path?query", ``served`` is bytes of bodies sent.

    ``fail(method, path)`` may return an HTTP status that the next request gets instead of its answer.
    """

    url: str
    endpoint: str
    requests: list[str] = field(default_factory=list)
    served: int = 0
    fail: Callable[[str, str], int | None] | None = None

    def wrap(self, app):
        def answer(environ, start):
            place = environ["PATH_INFO"] + (f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else "")
            self.requests.append(f"{environ['REQUEST_METHOD']} {place}")
            status = self.fail and self.fail(environ["REQUEST_METHOD"], place)
            if status:
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start(f"{status} Failed", [("Content-Length", "0")])
                return [b""]
            chunks = [bytes(chunk) for chunk in app(environ, start)]
            self.served += sum(map(len, chunks))
            return chunks

        return answer


@contextmanager
def object_store() -> Iterator[Store]:
    """Start a server, make a bucket, and point the environment at it; put all back afterwards."""
    store = Store(f"s3://{BUCKET}", "")
    app = store.wrap(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    store.endpoint = f"http://127.0.0.1:{server.port}"
    before = dict(os.environ)
    os.environ.update(
        AWS_ENDPOINT_URL=store.endpoint, AWS_ACCESS_KEY_ID="tester", AWS_SECRET_ACCESS_KEY="a-secret", AWS_REGION="us-east-1"
    )
    try:
        from pyarrow.fs import S3FileSystem

        endpoint = store.endpoint.removeprefix("http://")
        S3FileSystem(scheme="http", endpoint_override=endpoint, allow_bucket_creation=True).create_dir(BUCKET)
        store.requests.clear()
        yield store
    finally:
        os.environ.clear()
        os.environ.update(before)
        server.shutdown()
        thread.join()
        server.server_close()
