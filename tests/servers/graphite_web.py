"""Runs graphite-web on a port, in an environment that has it. Pictures are not drawn here: the library for them, which
wants one of the system's, is not there, and a hollow one takes its place."""

from __future__ import annotations

import sys
from importlib import import_module
from socketserver import ThreadingMixIn
from types import ModuleType
from wsgiref.simple_server import WSGIServer, make_server

sys.modules["cairocffi"] = ModuleType("cairocffi")


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def main(port: int) -> None:
    application = import_module("graphite.wsgi").application
    with make_server("127.0.0.1", port, application, Server) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
