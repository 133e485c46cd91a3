"""`python -m fewshot_np.playground`: serve the page on this computer and open it in the browser."""

import argparse
import sys

from fewshot_np.playground.server import make_server, serve


def main(argv=None):
    options = read_options(argv)
    try:
        server = make_server(options.port)
    except OSError as error:
        sys.exit(f"port {options.port} cannot be used ({error.strerror}); without --port a free one is taken")
    serve(server, browser=not options.no_browser)


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
