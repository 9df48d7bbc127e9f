"""`python -m cutline.embedded`: see `cutline.embedded.command`."""

import signal
import sys

if __name__ == "__main__":
    # While the rest is imported nothing runs that Ctrl-C would have to stop, so it simply ends the process.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from cutline.embedded.command import main

    sys.exit(main())
