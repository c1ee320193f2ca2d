"""Text that is shown: made safe for terminals, spreadsheets and plots, and free of secrets."""
