"""python app.py: the studio in your browser, at http://127.0.0.1:7860."""

import argparse
import sys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on [127.0.0.1: this machine alone]")
    parser.add_argument("--port", type=int, default=7860, help="the port to listen on [7860]")
    options = parser.parse_args()
    from studio.errors import RequestError
    from studio.ui.serve import serve

    try:
        serve(options.host, options.port)
    except RequestError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
