"""Parts of tools/rows.py: machines as users have them, with the versions of their libraries."""
