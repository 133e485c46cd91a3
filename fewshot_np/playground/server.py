"""Serves the page on this computer, and nothing else, until Ctrl-C."""

import webbrowser
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = Path(__file__).parent / "page"
TYPES = {"": "application/octet-stream", ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".bin": "application/octet-stream"}


class PageHandler(SimpleHTTPRequestHandler):
    """Serves the files of one folder, nothing outside it, and no listings."""

    extensions_map = TYPES  # the system's own table calls JavaScript plain text on some Windows computers

    def send_head(self):
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        folder = Path(self.directory).resolve()
        if not path.is_file() or not path.resolve().is_relative_to(folder):  # a link may lead out of the folder
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")  # so that a new version is seen at once
        super().end_headers()

    def log_message(self, *_):
        """Nothing: a line for each file would hide the address."""


def make_server(port=0, folder=PAGE):
    """A server of the folder on 127.0.0.1; port 0 takes a free one.

    Raises: OSError if the port is taken.
    """
    return ThreadingHTTPServer(("127.0.0.1", port), partial(PageHandler, directory=str(folder)))


def serve(server, browser, path=""):
    """Print the address, open it in the browser if there should be one, and serve until Ctrl-C."""
    address = f"http://127.0.0.1:{server.server_port}/{path}"
    print(f"Draw a sign once and watch it being recognised: {address}\nCtrl-C ends it.", flush=True)
    with server:
        if browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nended")
