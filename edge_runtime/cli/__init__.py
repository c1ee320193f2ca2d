"""Commands: argparse and printing only; each file is one command with one `main()`."""
