"""See `command`."""

import sys

from edge_runtime.jetson.command import main

sys.exit(main())
