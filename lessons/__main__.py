"""`python -m lessons`: the exercises in a loop of save, see, next."""

import sys

if __name__ == "__main__":
    try:
        try:
            from lessons.practice.loop import main
        except ModuleNotFoundError as error:
            sys.exit(f"{error}: {sys.executable} is not the Python that has the course. First type\n"
                     "source .venv/bin/activate     (Windows: .venv\\Scripts\\activate)")
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # while the library is being imported
        sys.exit(130)
