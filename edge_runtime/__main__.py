"""`python -m edge_runtime` is edge-doctor."""

import sys

from edge_runtime.cli.doctor import main

sys.exit(main())
