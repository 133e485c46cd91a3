"""`python -m fewshot_np.playground`: serve the page on this computer and open it in the browser."""

import argparse
import sys
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


def main(argv=None):
    options = read_options(argv)
    try:
        server = make_server(options.port)
    except OSError as error:
        sys.exit(f"port {options.port} cannot be used ({error.strerror}); without --port a free one is taken")
    address = f"http://127.0.0.1:{server.server_port}/"
    print(f"Draw a sign once and watch it being recognised: {address}\nCtrl-C ends it.", flush=True)
    if not options.no_browser:
        webbrowser.open(address)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nended")


def read_options(argv):
    parser = argparse.ArgumentParser(prog="python -m fewshot_np.playground", allow_abbrev=False,
                                     description="Few-shot learners to play with in a browser. Nothing leaves this "
                                                 "computer.")
    parser.add_argument("--port", type=port_number, default=0, metavar="N", help="port of the address (a free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    return parser.parse_args(argv)


def port_number(text):
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to 65535")
    return int(text)


if __name__ == "__main__":
    main()
