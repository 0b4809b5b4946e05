"""`python -m duecall.sim`"""

import sys

from duecall.sim.main import main

if __name__ == "__main__":
    sys.exit(main())
