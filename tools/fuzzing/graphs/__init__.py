"""Random networks for the INT8 tool: drawn, computed independently, and judged."""
