"""Where the demo data comes from: one module for each public package and what is done to it."""
