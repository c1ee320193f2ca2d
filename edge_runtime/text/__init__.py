"""Makes text safe to show in terminals, spreadsheets and plots, and removes secrets from it."""
