"""`python -m lessons`: the exercises in a loop of save, see, next."""

import sys

if __name__ == "__main__":
    try:
        from lessons.practice.loop import main
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # while the library is being imported
        sys.exit(130)
